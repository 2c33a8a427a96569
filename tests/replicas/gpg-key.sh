cat "$HOME/.gnupg/private-keys-v1.d/0.key"
