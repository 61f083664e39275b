"""What every peer has, whatever it works on: identity, network, store, mailbox, outbox."""
