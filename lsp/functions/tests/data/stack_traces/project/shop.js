class Shop {
  price(item) {
    return item.missing.value;
  }
  async total(items) {
    await null;
    return items.map((item) => this.price(item));
  }
}
new Shop().total(["tea"]).catch((error) => console.log(error.stack));
