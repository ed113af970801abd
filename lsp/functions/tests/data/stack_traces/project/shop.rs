mod shop { pub fn price(item: &str) -> u32 { let f = |x: &str| x.parse::<u32>().unwrap(); f(item) } }
fn main() { shop::price("tea"); }
