//! Prints the tables of docs/configuration.md.

fn main() {
    print!("{}", flockscope_configuration::markdown());
}
