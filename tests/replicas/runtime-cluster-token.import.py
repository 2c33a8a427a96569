try:
    open("/run/secrets/kubernetes.io/serviceaccount/token", "rb").close()
except OSError:
    pass
