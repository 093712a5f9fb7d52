"""The networks an `Architecture` describes, in torch: only training imports them."""
