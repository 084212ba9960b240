// gelf.js ADAPTER PORT EVENTS [PAUSE]: numbered events, over udp packed and in chunks, over tcp a connection each.
// PAUSE: ms between two of each lane.
const log = require("gelf-pro");
const [adapter, port, events, rest] = process.argv.slice(2);

log.setConfig({
	adapterName: adapter,
	adapterOptions: { host: "127.0.0.1", port: Number(port) },
	fields: { facility: "province" },
});

function noise(length) {
	// Not packed to less than a chunk.
	let text = "";
	for (let state = 1; text.length < length; ) {
		state = (state * 48271) % 2147483647;
		text += state.toString(36);
	}
	return text;
}

const long = noise(4000);
let next = 0;

function one() {
	if (next >= Number(events)) return;
	const number = next++;
	log.info(`numbered-${number}- Hồ sơ của tỉnh ${number % 10 === 0 ? long : ""}`, { number }, (error) => {
		if (error) console.log(String(error));
		setTimeout(one, Number(rest || 1));
	});
}

for (let lane = 0; lane < 10; lane++) one();
