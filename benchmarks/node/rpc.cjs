// The transport measured from a vscode-jsonrpc client. Called by benchmarks/rpc.py; prints one JSON object.
'use strict';

const { spawn } = require('node:child_process');
const rpc = require('vscode-jsonrpc-10/node');

const servers = JSON.parse(process.argv[2]);
const rounds = Number(process.argv[3]);
const SMALL = { path: '/recordings/2026-05-01.wav', startSeconds: 12.5, endSeconds: 15.5 };
const MB = 1_000_000;

function connect([program, ...words]) {
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'ignore'] });
  const connection = rpc.createMessageConnection(
    new rpc.StreamMessageReader(child.stdout),
    new rpc.StreamMessageWriter(child.stdin),
  );
  connection.listen();
  return { connection, close: () => (connection.dispose(), child.kill('SIGKILL')) };
}

const now = () => Number(process.hrtime.bigint()) / 1e6;
const quantile = (values, share) => values.sort((a, b) => a - b)[Math.floor(values.length * share)];

/** The same names, another one first. */
const turned = (names, round) => [...names.slice(round % names.length), ...names.slice(0, round % names.length)];

async function firstReply(argv) {
  const start = now();
  const { connection, close } = connect(argv);
  await connection.sendRequest('health', {});
  const elapsed = now() - start;
  close();
  return elapsed;
}

async function one(connection, method, params) {
  const start = now();
  await connection.sendRequest(method, params);
  return now() - start;
}

/** Milliseconds of each of `count` round trips with `inFlight` under way, and per request. */
async function roundTrips(connection, inFlight, count) {
  const latencies = [];
  let left = count;
  const start = now();
  const lane = async () => {
    while (left-- > 0) latencies.push(await one(connection, 'echo', SMALL));
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { latencies, each: (now() - start) / count };
}

async function main() {
  const names = Object.keys(servers);
  const table = {};
  const put = (row, name, value) => ((table[row] ??= {})[name] = value);

  const starts = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < 4 * rounds; round++)
    for (const name of names) starts[name].push(await firstReply(servers[name]));
  for (const name of names) put('spawn to first reply', name, quantile(starts[name], 0.5));

  const open = Object.fromEntries(names.map((name) => [name, connect(servers[name])]));
  for (let round = 0; round < 3; round++)  // what V8 compiles late must not count for whoever is measured first
    for (const { connection } of Object.values(open)) await roundTrips(connection, 64, 500);

  const single = Object.fromEntries(names.map((name) => [name, []]));
  const many = Object.fromEntries(names.map((name) => [name, []]));
  const each = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < 3 * rounds; round++)
    for (const name of turned(names, round)) {
      const { connection } = open[name];
      single[name].push(...(await roundTrips(connection, 1, 200)).latencies);
      const { latencies, each: per } = await roundTrips(connection, 64, 1000);
      many[name].push(...latencies);
      each[name].push(per);
    }
  for (const name of names) {
    put('1 in flight p50', name, quantile(single[name], 0.5));
    put('1 in flight p99', name, quantile(single[name], 0.99));
    put('64 in flight p50', name, quantile(many[name], 0.5));
    put('64 in flight p99', name, quantile(many[name], 0.99));
    put('64 in flight, per request', name, quantile(each[name], 0.5));
  }

  for (const [row, method, params, count] of [
    ['echo 1 MB', 'echo', { text: 'x'.repeat(MB) }, 24],
    ['echo 10 MB', 'echo', { text: 'x'.repeat(10 * MB) }, 4],
    ['1 MB result', 'bytes', { count: MB }, 24],
  ]) {
    const times = Object.fromEntries(names.map((name) => [name, []]));
    for (let round = 0; round < count * rounds; round++)
      for (const name of turned(names, round)) times[name].push(await one(open[name].connection, method, params));
    for (const name of names) put(row, name, quantile(times[name], 0.5));
  }
  for (const { close } of Object.values(open)) close();
  console.log(JSON.stringify(table));
  process.exit(0);
}

main();
