"""What becomes of trades: orders for the next open, risk, the paper ledger, slippage estimates."""
