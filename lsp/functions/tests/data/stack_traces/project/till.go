package shop

type Till struct{}

func price(item string) int {
	return len(item)
}

func (till *Till) Total(items []string) int {
	return price(items[0])
}

func main() {
	new(Till).Total(nil)
}
