"""A real Kafka broker of a script's own, so that it may be killed: by deploy/kafka.sh, with the libraries
of the one that the suite has fetched."""
import os
import shutil
import socket
import subprocess
import tempfile

from flow import KAFKA, ROOT, free_port

FOLDER = os.path.join(ROOT, os.environ.get("TOCSIN_KAFKA", "build/kafka"))
LIBS = os.path.join(FOLDER, "libs")


def why_not():
    """Why there is no broker to be had; empty when there is."""
    if not KAFKA:
        return "TOCSIN_TEST_KAFKA names no Kafka broker"
    if not os.path.exists(os.path.join(LIBS, ".whole")):
        return f"no Kafka libraries at {LIBS} (deploy/kafka.sh fetch)"
    return ""


def older(version):
    """The libraries of another version, fetched beside the suite's; None and why not."""
    folder = f"{FOLDER.rstrip('/')}-{version}"
    environment = dict(os.environ, TOCSIN_KAFKA=folder, TOCSIN_KAFKA_VERSION=version)
    try:
        got = subprocess.run(["sh", os.path.join(ROOT, "deploy", "kafka.sh"), "fetch"], env=environment,
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return None, f"Maven Central does not give Kafka {version} in time"
    if got.returncode != 0:
        return None, (got.stderr.strip().splitlines() or [""])[-1]
    return os.path.join(folder, "libs"), ""


def is_free(port):
    with socket.socket() as link:
        try:
            link.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


class Broker:
    def __init__(self, login=None, libs=LIBS):
        """login: "name:password" for a second listener with TLS and SASL, at self.safe."""
        self.login = login
        self.path = tempfile.mkdtemp(prefix="tocsin-kafka-")
        shutil.copytree(libs, os.path.join(self.path, "libs"), copy_function=os.link
                        if os.stat(libs).st_dev == os.stat(self.path).st_dev else shutil.copy2)
        while True:
            port = free_port()
            if port < 65000 and all(is_free(port + more) for more in (1, 2)):
                break
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.safe = f"127.0.0.1:{port + 2}"
        self.authority = os.path.join(self.path, "tls", "ca.pem")

    def do(self, what):
        environment = dict(os.environ, TOCSIN_KAFKA=self.path, TOCSIN_KAFKA_PORT=str(self.port))
        if self.login:
            environment["TOCSIN_KAFKA_SASL"] = self.login
        return subprocess.run(["sh", os.path.join(ROOT, "deploy", "kafka.sh"), what], env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, timeout=120)

    def __enter__(self):
        started = self.do("start")
        if started.returncode != 0:
            self.__exit__()
            raise RuntimeError(f"no broker: {started.stderr}")
        return self

    def __exit__(self, *_):
        self.do("kill")
        shutil.rmtree(self.path, ignore_errors=True)
