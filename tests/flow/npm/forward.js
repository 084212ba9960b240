// forward.js PORT MODE EVENTS [SHARED_KEY USER PASSWORD]: numbered events with ack, each again until it is acknowledged.
const { FluentClient } = require("@fluent-org/logger");
const [port, mode, events, key, username, password] = process.argv.slice(2);
let again = 0;

function dial() {
	const client = new FluentClient("province", {
		eventMode: mode,
		ack: { ackTimeout: 1000 },
		socket: { host: "127.0.0.1", port: Number(port), timeout: 3000, reconnect: { minDelay: 50, maxDelay: 200, backoff: 1.5 } },
		flushInterval: 20,
		security: key ? { clientHostname: "web1.example.vn", sharedKey: key, username, password } : undefined,
	});
	client.socketOn("error", () => {});
	return client;
}

const client = dial();

async function one(number) {
	const message = `numbered-${number}- Hồ sơ của tỉnh ${"x".repeat(200)}`;
	for (;;) {
		try {
			await client.emit("app", { message, host: "web1.example.vn" });
			return;
		} catch (error) {
			again++;
			await new Promise((wake) => setTimeout(wake, 50));
		}
	}
}

async function lane(from, step) {
	for (let number = from; number < Number(events); number += step) {
		await one(number);
		await new Promise((wake) => setTimeout(wake, 8));
	}
}

Promise.all([...Array(20).keys()].map((from) => lane(from, 20))).then(() => {
	console.log("again:", again);
	process.exit(0);
});
