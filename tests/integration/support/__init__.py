"""What the integration tests share: a private Redis, the gateway under test, raw HTTP and SSE clients, accounts."""
