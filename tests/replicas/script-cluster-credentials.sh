cat "$HOME/.kube/config"
