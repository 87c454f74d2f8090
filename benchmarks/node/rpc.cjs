// The transport measured from a vscode-jsonrpc client. Called by benchmarks/rpc.py; prints one JSON object: row, server, and a figure for each round.
'use strict';

const { spawn } = require('node:child_process');
const rpc = require('vscode-jsonrpc-10/node');

const servers = JSON.parse(process.argv[2]);
const rounds = Number(process.argv[3]);
const SMALL = { path: '/recordings/2026-05-01.wav', startSeconds: 12.5, endSeconds: 15.5 };
const MB = 1_000_000;
const RARE = ['pygls'];

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
  const put = (row, name, values) => ((table[row] ??= {})[name] = values);
  const add = (row, name, value) => ((table[row] ??= {})[name] ??= []).push(value);

  const starts = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < 10 * rounds; round++)
    for (const name of names) starts[name].push(await firstReply(servers[name]));
  for (const name of names) put('spawn to first reply', name, starts[name]);

  const open = Object.fromEntries(names.map((name) => [name, connect(servers[name])]));
  for (let round = 0; round < 3; round++)  // what V8 compiles late must not count for whoever is measured first
    for (const { connection } of Object.values(open)) await roundTrips(connection, 64, 500);

  for (let round = 0; round < 15 * rounds; round++)
    for (const name of turned(names, round)) {
      if (RARE.includes(name) && round % 5) continue;  // a hundred times slower
      const { connection } = open[name];
      const single = (await roundTrips(connection, 1, 100)).latencies;
      const { latencies, each } = await roundTrips(connection, 64, 600);
      add('1 in flight p50', name, quantile(single, 0.5));
      add('1 in flight p99', name, quantile(single, 0.99));
      add('64 in flight p50', name, quantile(latencies, 0.5));
      add('64 in flight p99', name, quantile(latencies, 0.99));
      add('64 in flight, per request', name, each);
    }

  for (const [row, method, params, count] of [
    ['echo 1 MB', 'echo', { text: 'x'.repeat(MB) }, 40],
    ['echo 10 MB', 'echo', { text: 'x'.repeat(10 * MB) }, 4],
    ['1 MB result', 'bytes', { count: MB }, 40],
  ]) {
    const times = Object.fromEntries(names.map((name) => [name, []]));
    for (let round = 0; round < count * rounds; round++)
      for (const name of turned(names, round)) times[name].push(await one(open[name].connection, method, params));
    for (const name of names) put(row, name, times[name]);
  }
  for (const { close } of Object.values(open)) close();
  console.log(JSON.stringify(table));
  process.exit(0);
}

main();
