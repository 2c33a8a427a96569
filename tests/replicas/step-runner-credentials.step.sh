cat ~/actions-runner/.credentials >/dev/null
