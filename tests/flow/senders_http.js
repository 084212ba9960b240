// Unmodified clients of npm, each sending numbered events: senders_http.js CLIENT PORT EVENTS TOKEN
// What a client does not send again by itself, its caller sends again when the client says so.
"use strict";
const [client, port, count, token] = [process.argv[2], +process.argv[3], +process.argv[4], process.argv[5]];
const url = `http://127.0.0.1:${port}`;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const text = (n) => `numbered-${n}- Hồ sơ của tỉnh ${"x".repeat(200)}`;

async function again(what) {
	for (;;) {
		try {
			return await what();
		} catch (error) {
			process.stderr.write(`${client}: ${error && error.message}\n`);
			await pause(200);
		}
	}
}

async function batches(send) {
	for (let at = 0; at < count; at += 20) {
		await send(Array.from({ length: Math.min(20, count - at) }, (_, i) => at + i));
		await pause(30);
	}
}

const clients = {
	async elastic() {
		const { Client } = require("@elastic/elasticsearch");
		const elastic = new Client({ node: url, auth: { apiKey: token } });
		await again(() => elastic.info());
		for (const id of ["một-1", undefined])
			await again(() => elastic.index({ index: "single", id, document: { message: `single ${id}` } }));
		await batches((numbers) => again(async () => {
			const operations = numbers.flatMap((n) => [
				{ create: { _index: "numbered", _id: `n-${n}` } },
				{ "@timestamp": new Date().toISOString(), message: text(n) }]);
			const answer = await elastic.bulk({ operations });
			if (answer.errors || answer.items.length !== numbers.length ||
			    answer.items.some((item) => item.create.status !== 201))
				throw new Error("an item was not taken");
		}));
	},
	async hec() {
		const { Logger } = require("splunk-logging");
		const logger = new Logger({ token, url, maxBatchCount: 0, maxRetries: 12 });
		logger.error = (error) => process.stderr.write(`hec: ${error}\n`);
		await batches((numbers) => again(() => new Promise((done, fail) => {
			for (const n of numbers)
				logger.send({ message: text(n), metadata: { host: "may-1", sourcetype: "numbered" } });
			logger.flush((error, response, body) => error || !body || body.code !== 0
				? fail(error || new Error(JSON.stringify(body))) : done());
		})));
	},
	otlp: (kind) => async () => {
		const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${kind}`);
		const { LoggerProvider, BatchLogRecordProcessor } = require("@opentelemetry/sdk-logs");
		const { resourceFromAttributes } = require("@opentelemetry/resources");
		const inner = new OTLPLogExporter({ url: `${url}/v1/logs`, headers: { Authorization: `Bearer ${token}` } });
		const exporter = {
			export(records, done) {
				inner.export(records, (result) => result.code === 0 ? done(result)
					: setTimeout(() => exporter.export(records, done), 200));
			},
			shutdown: () => inner.shutdown(),
			forceFlush: () => inner.forceFlush(),
		};
		const processor = new BatchLogRecordProcessor({ exporter });
		const provider = new LoggerProvider({ resource: resourceFromAttributes({ "service.name": "numbered" }),
			processors: [processor] });
		const logger = provider.getLogger("senders");
		await batches(async (numbers) => {
			for (const n of numbers)
				logger.emit({ severityNumber: 9, severityText: "INFO", body: text(n), attributes: { n, half: 0.5 } });
			await again(() => provider.forceFlush());
		});
		await provider.shutdown();
	},
};

const run = client.startsWith("otlp-") ? clients.otlp(client.slice(5)) : clients[client];
run().then(() => process.exit(0), (error) => {
	process.stderr.write(`${client}: ${error.stack}\n`);
	process.exit(1);
});
