#!/usr/bin/env python3
"""Privilege: started as root, the collector has its ports, another user, and nothing but what the configuration names."""
import ctypes
import errno
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import KAFKA, ROOT, TOCSIN, House, case, done, free_port, need_binary, skip, wait_for  # noqa: E402

UID, GID = 54321, 54321
USER = f"{UID}:{GID}"
HOST = "127.0.0.5"
AGENCIES = "agencies:\n  - name: {name}\n    networks: [127.0.0.0/8]\n"


def low_port():
    """A port that only root may open, free on our address: 514 where it is."""
    for port in (514, 601, *range(700, 760)):
        try:
            with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                tcp.bind((HOST, port))
                udp.bind((HOST, port))
                return port
        except OSError:
            continue
    raise RuntimeError("no low port")


def house(*settings, user=USER, **more):
    """The rules are in it too: the project may lie in a folder of root's, which another user cannot enter."""
    made = House(settings=(f"privilege.user={user}", *settings), **more)
    os.chmod(made.path, 0o755)
    shutil.copytree(os.path.join(ROOT, "rules"), f"{made.path}/rules")
    made.settings = [s for s in made.settings if not s.startswith(("data.path=", "syslog.", "rules.paths="))]
    made.settings.append(f"rules.paths={made.path}/rules")
    made.settings += [f"data.path={made.path}/data", f"syslog.udp.listen={HOST}:{made.port}",
                      f"syslog.tcp.listen={HOST}:{made.port}", "collector.tick=500ms"]
    return made


def put(path, text, uid=0):
    """By another process, which writes beside and renames."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.chmod(path + ".new", 0o644)
    os.chown(path + ".new", uid, uid)
    os.rename(path + ".new", path)


def raw(made):
    return made.tool("bus", "cat", "events", "--raw").stdout


def comes(made, name, mark, count=1):
    return case(name, wait_for(lambda: raw(made).count(mark) >= count, 15, 0.2), raw(made)[-2000:], made.log())


def fields(pid, task):
    with open(f"/proc/{pid}/task/{task}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def identity(made, pid, landlock):
    """Every thread: the user, no capability, no way to more, seccomp."""
    ids = "\t".join([str(UID)] * 4)
    tasks = os.listdir(f"/proc/{pid}/task")
    for task in tasks:
        status = fields(pid, task)
        caps = {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        good = status["Uid"] == ids and status["Gid"] == ids and not any(caps.values()) and \
            status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        if not case(f"thread {tasks.index(task)} of {len(tasks)}: another user, no capability, seccomp", good, status):
            return
    case("no groups of root's", fields(pid, pid)["Groups"].split() in ([], [str(GID)]), fields(pid, pid)["Groups"])
    details = made.status()["collect"]["details"]
    case("status tells it", details["uid"] == UID and details["capabilities"] == 0 and details["seccomp"] is True and
         details["landlock"] == landlock, details)
    metrics = made.tool("metrics").stdout
    case("metrics tell it", f'tocsin_confine_landlock{{stage="collect"}} {landlock}' in metrics and
         'tocsin_confine_seccomp{stage="collect"} 1' in metrics, [m for m in metrics.split("\n") if "confine" in m])
    others = [s for n, s in made.status().items() if n != "tocsin"]
    case("every stage is that user, the supervisor is not",
         len(others) >= 3 and all(fields(s["pid"], s["pid"])["Uid"] == ids for s in others) and
         fields(made.processes["run"].pid, made.processes["run"].pid)["Uid"].startswith("0\t"), others)


def closed_memory(pid):
    """The same user, as another stage that was taken over would be."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(GID, GID, GID)
            os.setresuid(UID, UID, UID)
            open(f"/proc/{pid}/mem", "rb").close()
        except PermissionError:
            code = 0
        finally:
            os._exit(code)
    case("its memory is closed to others of the same user", os.waitpid(child, 0)[1] == 0)


def certificates(made):
    certs = os.path.join(made.path, "certs")
    os.mkdir(certs)
    subprocess.run(["sh", os.path.join(ROOT, "tests/certificates.sh"), certs], check=True)
    renew(certs, "server")
    return certs


def renew(certs, name):
    for kind in ("crt", "key"):
        with open(f"{certs}/{name}.{kind}") as file:
            put(f"{certs}/live.{kind}", file.read())


def served(certs, port):
    context = ssl.create_default_context(cafile=f"{certs}/ca.crt")
    context.check_hostname = False
    with socket.create_connection((HOST, port)) as link, context.wrap_socket(link) as wrapped:
        wrapped.sendall(b"20 <13>1 - - - - - tls-")
        return dict(x[0] for x in wrapped.getpeercert()["subject"])["commonName"]


def files(made, logs, apps):
    put(f"{logs}/app.log", "first line\n")
    comes(made, "a followed file", "first line")
    os.rename(f"{logs}/app.log", f"{logs}/app.log.1")
    with open(f"{logs}/app.log.1", "a") as file:
        file.write("late line\n")
    put(f"{logs}/app.log", "second line\n")
    comes(made, "... that was rotated", "second line")
    comes(made, "... and to its end", "late line")
    os.makedirs(f"{apps}/later")
    put(f"{apps}/later/new.log", "third line\n")
    comes(made, "a file in a folder that came later", "third line")


def planted(made, logs, landlock):
    """Links by who may write to the followed folder. The targets could be read by the user, were it only for that."""
    data = f"{made.path}/data"
    store = next((os.path.join(path, name) for path, _, names in os.walk(f"{data}/alerts") for name in names
                  if name.endswith(".mdb")), None) or f"{data}/correlate.mdb"
    put(f"{made.path}/secret", "a secret line\n", UID)
    links = {"store": store, "key": f"{data}/site.key", "passwd": "/etc/passwd", "shadow": "/etc/shadow",
             "secret": f"{made.path}/secret", "environ": "/proc/self/environ"}
    for name, target in links.items():
        case(f"there is something behind the link {name}", os.path.exists(target), target)
        os.symlink(target, f"{logs}/planted-{name}.log")
    put(f"{logs}/beside.log", "a line beside the links\n")
    comes(made, "a file beside planted links", "a line beside the links")
    with open(f"{data}/site.key") as file:
        key = file.read().strip()
    if landlock == 0:
        return skip("planted links", "this kernel has no Landlock")
    for name in ("store", "key", "passwd", "secret", "shadow"):
        said = f"cannot open '{logs}/planted-{name}.log': Permission denied"
        case(f"a link to {name} is refused and told", wait_for(lambda: said in made.log(), 10), made.log())
    text = raw(made)
    case("nothing of what they lead to has come", "root:x:" not in text and "secret line" not in text and
         key not in text and "root:*" not in text, text[-2000:])


def the_whole(landlock):
    low, tls = low_port(), free_port()
    with house(f"metrics.listen=127.0.0.1:{free_port()}") as made:
        certs = certificates(made)
        logs, apps = os.path.join(made.path, "logs"), os.path.join(made.path, "apps")
        os.mkdir(logs)
        os.mkdir(apps)
        agencies = made.beside("agencies.yml")
        put(agencies, AGENCIES.format(name="hue"))
        made.port = low
        made.settings += [f"syslog.udp.listen={HOST}:{low}", f"syslog.tcp.listen={HOST}:{low}",
                          f"syslog.tls.listen={HOST}:{tls}", f"tls.certificate={certs}/live.crt",
                          f"tls.key={certs}/live.key", f"file.follow={logs}/*.log,{apps}/later/*.log",
                          f"collector.agencies={agencies}", "privilege.confine=required"]
        made.run()
        status = wait_for(lambda: made.status().get("collect"), 20)
        if not case(f"tocsin run as root, port {low}, the user {USER}", status, made.log()):
            return
        pid = status["pid"]
        identity(made, pid, landlock)
        closed_memory(pid)
        with socket.create_connection((HOST, low)) as link:
            link.sendall(b"<13>1 - - - - - tcp on a low port\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.sendto(b"<13>1 - - - - - udp on a low port", (HOST, low))
        comes(made, "TCP on a port of root's", "tcp on a low port")
        comes(made, "UDP on a port of root's", "udp on a low port")
        buffers = subprocess.run(["ss", "-uamnH", f"sport = :{low}"], capture_output=True, text=True).stdout
        case("with receive buffers that only root gets", [int(b) for b in re.findall(r",rb(\d+),", buffers)] == [16 << 20] * 2,
             buffers)
        files(made, logs, apps)
        planted(made, logs, landlock)
        first = served(certs, tls)
        renew(certs, "renewed")
        put(agencies, AGENCIES.format(name="langson"))
        os.kill(pid, signal.SIGHUP)
        case("a certificate that was replaced is served after SIGHUP",
             first == "server" and wait_for(lambda: served(certs, tls) == "renewed", 10, 0.1), made.log())
        case("agencies.yml that was replaced is in force",
             wait_for(lambda: "langson" in made.tool("sources", "--json").stdout, 10, 0.2), made.log())
        state = f"{made.path}/data/collect/files.state"
        case("positions are kept", wait_for(lambda: os.path.exists(state) and os.stat(state).st_uid == UID, 10), made.log())
        case("it is still the first process", made.status()["collect"]["pid"] == pid, made.log())
        run = f"{made.path}/data/run"
        case("the control sockets are the user's", all(os.stat(f"{run}/{n}").st_uid == UID for n in os.listdir(run)),
             os.listdir(run))
        process = made.processes["run"]
        made.stop("run")
        case("an orderly end", process.returncode == 0, process.returncode, made.log())
        case("no socket is left", not any(n.endswith(".sock") for n in os.listdir(f"{made.path}/data/run")
                                          if n != "tocsin.sock"), os.listdir(f"{made.path}/data/run"))
        wrong = [p for p, folders, names in os.walk(f"{made.path}/data") for n in names + folders
                 if os.lstat(os.path.join(p, n)).st_uid != UID]
        case("everything below data.path is the user's", not wrong, wrong)
        made.run()
        case("and a second start finds it", wait_for(lambda: "collect" in made.status(), 20), made.log())
        with socket.create_connection((HOST, low)) as link:
            link.sendall(b"<13>1 - - - - - after a restart\n")
        comes(made, "... and goes on", "after a restart")


def refusals():
    """What cannot be is said, with what to do, and nothing starts."""
    rows = (
        ("a user that there is not", {"user": "no-such-user"}, (), "there is no user 'no-such-user'", 2),
        ("a pattern that would open everything", {}, ("file.follow=/*.log",),
         "file.follow: '/*.log' also holds what must stay closed", 2),
        ("a pattern in /etc", {}, ("file.follow=/etc/*.conf",), "file.follow: '/etc/*.conf' also holds", 2),
        ("a folder that does not exist, whose place may not be opened", {},
         ("file.follow=/no-such-folder/*.log", "syslog.udp.listen="), "file.follow: '/no-such-folder/*.log' does not exist", None),
        ("a key that names the store", {}, ("file.follow={data}/alerts/*/*.mdb",), "file.follow:", 2),
        ("a file in the folder of the store", {}, ("privilege.read={data}/alerts/x",), "privilege.read:", None),
    )
    for name, words, settings, said, code in rows:
        with house(**words) as made:
            made.settings += [s.format(data=f"{made.path}/data") for s in settings]
            if code is None:
                made.settings.append("syslog.udp.listen=")
                made.start("collect")
                case(f"{name} is told", wait_for(lambda: said in made.log(), 15), made.log())
                continue
            out = made.tool("collect", seconds=20)
            case(f"{name} is refused", said in out.stderr and out.returncode == code, out.returncode, out.stderr)
    with house() as made:
        os.mkdir(f"{made.path}/data", 0o750)
        out = made.tool("collect", seconds=20)
        case("a folder that is root's: what to do is told", out.returncode == 3 and
             f"chown -R {USER} '{made.path}/data'" in out.stderr, out.returncode, out.stderr)
    with house() as made:
        secret = f"{made.path}/server.key"
        put(secret, "key\n")
        os.chmod(secret, 0o600)
        made.settings += [f"syslog.tls.listen={HOST}:{free_port()}", f"tls.certificate={secret}"]
        out = made.tool("collect", seconds=20)
        case("a certificate that only root can read: refused at the start, not at a reload",
             out.returncode != 0 and "server.key" in out.stderr, out.returncode, out.stderr)


def not_root():
    """Nobody becomes another; confinement needs no privilege."""
    with house() as made:
        os.chown(made.path, UID, GID)
        # A copy, for the build folder may be closed to others.
        program = shutil.copy(TOCSIN, f"{made.path}/tocsin")
        words = {"user": UID, "group": GID, "extra_groups": []}
        out = subprocess.run([program, *made.arguments("collect")[1:], "-o", "privilege.user=root"], timeout=20,
                             capture_output=True, text=True, **words)
        case("only root becomes another", out.returncode == 2 and "only root" in out.stderr, out.returncode, out.stderr)
        with open(os.path.join(made.path, "collect.log"), "ab") as log:
            made.processes["collect"] = subprocess.Popen([program, *made.arguments("collect")[1:]], stdout=log,
                                                         stderr=log, **words)
        status = wait_for(lambda: made.status().get("collect"), 20)
        case("started by the user itself, it is confined as well",
             status and status["details"]["seccomp"] and
             fields(status["pid"], status["pid"])["Seccomp"] == "2", made.log())


def refuse_landlock():
    """In a child before it becomes tocsin: a kernel without Landlock, for landlock_... (444 to 446) answer ENOSYS."""
    steps = ((0x20, 0, 0, 0), (0x35, 0, 2, 444), (0x25, 1, 0, 446), (0x06, 0, 0, 0x00050000 | errno.ENOSYS),
             (0x06, 0, 0, 0x7fff0000))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
    if ctypes.CDLL(None).prctl(22, 2, ctypes.c_ulong(ctypes.addressof(program)), 0, 0) != 0:
        os._exit(99)


def older_kernel():
    with house() as made:
        out = subprocess.run([*made.arguments("collect"), "-o", "privilege.confine=required"], timeout=20,
                             capture_output=True, text=True, preexec_fn=refuse_landlock)
        case("required, without Landlock: refused", out.returncode == 3 and "there is no Landlock" in out.stderr,
             out.returncode, out.stderr)
        with open(os.path.join(made.path, "collect.log"), "ab") as log:
            made.processes["collect"] = subprocess.Popen(made.arguments("collect"), stdout=log, stderr=log,
                                                         preexec_fn=refuse_landlock)
        status = wait_for(lambda: made.status().get("collect"), 20)
        case("not required: it is said, and the rest is given up", status and "no Landlock" in made.log() and
             status["details"]["landlock"] == 0 and status["details"]["seccomp"] is True and
             status["details"]["uid"] == UID and status["details"]["capabilities"] == 0, status, made.log())


def as_root():
    """Without a user it says so; what it was before moves along."""
    with house(user="") as made:
        data = f"{made.path}/data"
        made.start("collect")
        status = wait_for(lambda: made.status().get("collect"), 20)
        case("staying root is said", "this process stays root" in made.log() and status["details"]["uid"] == 0, made.log())
        left = int(fields(status["pid"], status["pid"])["CapEff"], 16)
        case("... with the capabilities for files alone", left & ~0xf == 0, hex(left))
        with open(f"{data}/collect/collector.id") as file:
            name = file.read().split()[3]
        made.stop()
        os.rename(f"{data}/collect/collector.id", f"{data}/collector.id")
        made.settings.append("privilege.confine=no")
        made.start("collect")
        status = wait_for(lambda: made.status().get("collect"), 20)
        with open(f"{data}/collect/collector.id") as file:
            again = file.read().split()[3]
        case("who it was before is taken along", name == again and not os.path.exists(f"{data}/collector.id"), name, again)
        case("privilege.confine no: told, and nothing is closed", status["details"]["seccomp"] is False and
             fields(status["pid"], status["pid"])["Seccomp"] == "0" and "privilege.confine is off" in made.log(), made.log())


def kafka():
    if not KAFKA:
        return skip("with Kafka", "TOCSIN_TEST_KAFKA is not set: there is no broker")
    with house("privilege.confine=required", kafka=True) as made:
        made.settings.append(f"kafka.topics={made.prefix}others")
        made.start("collect")
        status = wait_for(lambda: made.status().get("collect"), 40)
        if not case("with Kafka, as another user", status, made.log()):
            return
        case("every thread of librdkafka is confined", all(
            fields(status["pid"], t)["Seccomp"] == "2" and int(fields(status["pid"], t)["CapPrm"], 16) == 0
            for t in os.listdir(f"/proc/{status['pid']}/task")), made.log())
        with socket.create_connection((HOST, made.port)) as link:
            link.sendall(b"".join(b"<13>1 - - - - - to kafka %d\n" % n for n in range(1000)))
        case("events come to Kafka", wait_for(lambda: made.total().get("durable", 0) >= 1000, 30, 0.2),
             made.total(), made.log())
        case("straight, not through the spool", made.status()["collect"]["details"]["spool_spooled"] == 0,
             made.status()["collect"]["details"])
        made.settings.append("bus.kafka.properties.bootstrap.servers=localhost:1")
        process = made.processes["collect"]
        made.stop()
        case("an orderly end", process.returncode == 0, process.returncode, made.log())
        made.start("collect")
        case("without Kafka, with the spool", wait_for(lambda: made.status().get("collect"), 40), made.log())
        with socket.create_connection((HOST, made.port)) as link:
            link.sendall(b"".join(b"<13>1 - - - - - to the spool %d\n" % n for n in range(1000)))
        case("events come to the spool", wait_for(lambda: made.total().get("durable", 0) >= 1000, 30, 0.2),
             made.total(), made.log())


def main():
    need_binary()
    if os.geteuid() != 0:
        skip("privilege", "only root can give it up")
        return done()
    if shutil.which("openssl") is None:
        skip("privilege", "openssl is not installed")
        return done()
    # The kernel's version of Landlock: landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION).
    landlock = max(0, ctypes.CDLL(None, use_errno=True).syscall(444, None, ctypes.c_size_t(0), 1))
    started = time.monotonic()
    for step in (lambda: the_whole(landlock), refusals, not_root, older_kernel, as_root, kafka):
        step()
        print(f"# {time.monotonic() - started:.1f} s", flush=True)
    done()


main()
