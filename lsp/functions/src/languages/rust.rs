//! rust.

use tree_sitter::Node;

use crate::reading::Reader;

pub(crate) fn enter<'t>(_reader: &mut Reader<'t>, _node: Node<'t>) -> bool {
    true
}
