// One scenario of a real vscode-jsonrpc client against the real server.
// Usage: node client.cjs VERSION SCENARIO SERVER_ARGV_AS_JSON; exits 0 when it holds, with a stack trace when not.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');

const [version, scenario, argv] = process.argv.slice(2);
const rpc = require(version === '8' ? 'vscode-jsonrpc-8/node.js' : `vscode-jsonrpc-${version}/node`);

const REQUEST_CANCELLED = -32800;

function connect() {
  const [program, ...words] = JSON.parse(argv);
  const server = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const connection = rpc.createMessageConnection(
    new rpc.StreamMessageReader(server.stdout),
    new rpc.StreamMessageWriter(server.stdin),
  );
  connection.listen();
  return { server, connection };
}

async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: 'the request was not refused' });
}

/** Listen to a token's progress; `first` resolves with the first value. */
function listen(connection, token) {
  const values = [];
  let tell;
  const first = new Promise((resolve) => (tell = resolve));
  connection.onProgress(new rpc.ProgressType(), token, (value) => {
    values.push(value);
    tell(value);
  });
  return { values, first };
}

const scenarios = {
  async requests({ connection }) {
    const health = await connection.sendRequest('health');
    assert.equal(health.status, 'ok');
    assert.deepEqual(await connection.sendRequest(new rpc.RequestType0('get_data')), ['hello', 5]);
    assert.equal(await connection.sendRequest('subtract', { minuend: 42, subtrahend: 23 }), 19);
    assert.equal(await connection.sendRequest('subtract', 42, 23), 19);
    assert.equal(await connection.sendRequest('update', { a: 1 }), null);
    assert.deepEqual(await connection.sendRequest('echo', { text: 'é💩\u2028\n' }), { text: 'é💩\u2028\n' });
    await connection.sendNotification('update', { a: 1 });
    await connection.sendNotification('nobody/listens', { a: 1 });
    assert.deepEqual(await connection.sendRequest('get_data'), ['hello', 5]);
  },

  async errors({ connection }) {
    const unknown = await rejection(connection.sendRequest('foobar'));
    assert.equal(unknown.code, rpc.ErrorCodes.MethodNotFound);
    const wrong = await rejection(connection.sendRequest('sleep', { seconds: 'long' }));
    assert.equal(wrong.code, rpc.ErrorCodes.InvalidParams);
    assert.match(wrong.message, /^\$\.seconds: /);
    const missing = await rejection(connection.sendRequest('audio/info', { path: '/nowhere/a.wav' }));
    assert.equal(missing.code, 1001);
    assert.equal(missing.data.kind, 'fileNotFound');
    assert.equal(missing.data.path, '/nowhere/a.wav');
    const bug = await rejection(connection.sendRequest('fail'));
    assert.equal(bug.code, rpc.ErrorCodes.InternalError);
  },

  async progress({ connection }) {
    for (const token of [0, '', 'token', 7]) {
      const { values } = listen(connection, token);
      let answered = false;
      connection.onProgress(new rpc.ProgressType(), `${token}-other`, () => assert.fail('not my progress'));
      await connection.sendRequest('sleep', { seconds: 0.5, workDoneToken: token }).then(() => (answered = true));
      assert.ok(answered);
      const kinds = values.map((value) => value.kind);
      assert.equal(kinds[0], 'begin');
      assert.equal(kinds.at(-1), 'end');
      assert.ok(kinds.length >= 4 && kinds.length <= 8, `${kinds}`);
    }
  },

  async 'cancel before'({ connection }) {
    const source = new rpc.CancellationTokenSource();
    source.cancel();
    const request = connection.sendRequest('sleep', { seconds: 0.3 }, source.token);
    // vscode-jsonrpc 8 never sends a cancel for a token that was cancelled before: it gets its result
    const outcome = await request.catch((error) => error.code);
    assert.ok(outcome === 0.3 || outcome === REQUEST_CANCELLED, `${outcome}`);
    assert.deepEqual(await connection.sendRequest('get_data'), ['hello', 5]);
  },

  async 'cancel queued'({ connection }) {
    const all = new rpc.CancellationTokenSource();
    const running = [];
    for (let i = 0; i < 40; i++) running.push(rejection(connection.sendRequest('sleep', { seconds: 60 }, all.token)));
    const last = new rpc.CancellationTokenSource();
    const queued = rejection(connection.sendRequest('sleep', { seconds: 60 }, last.token));
    setTimeout(() => last.cancel(), 50);
    assert.equal((await queued).code, REQUEST_CANCELLED);
    all.cancel();
    for (const error of await Promise.all(running)) assert.equal(error.code, REQUEST_CANCELLED);
  },

  async 'cancel running'({ connection }) {
    const source = new rpc.CancellationTokenSource();
    const { first } = listen(connection, 'w');
    const request = rejection(connection.sendRequest('sleep', { seconds: 60, workDoneToken: 'w' }, source.token));
    await first;
    const asked = Date.now();
    source.cancel();
    assert.equal((await request).code, REQUEST_CANCELLED);
    assert.ok(Date.now() - asked < 2000);
  },

  async 'cancel after'({ connection }) {
    const source = new rpc.CancellationTokenSource();
    assert.equal(await connection.sendRequest('sleep', { seconds: 0 }, source.token), 0);
    source.cancel();
    connection.sendNotification('$/cancelRequest', { id: 0 });
    assert.deepEqual(await connection.sendRequest('get_data'), ['hello', 5]);
  },

  async 'partial results'({ connection }) {
    const rows = [];
    connection.onProgress(new rpc.ProgressType(), 'rows', (value) => {
      assert.ok(Array.isArray(value));
      rows.push(...value);
    });
    const rest = await connection.sendRequest('rows', { count: 20000, chunk: 37, partialResultToken: 'rows' });
    assert.deepEqual(rest, []);
    assert.deepEqual(rows, [...Array(20000).keys()]);
  },

  async '100 concurrent'({ connection }) {
    const requests = [...Array(100).keys()].map((i) => connection.sendRequest('echo', { i }));
    const mixed = [...Array(30).keys()].map((i) => connection.sendRequest('sleep', { seconds: 0.01 * (i % 5) }));
    assert.deepEqual(
      (await Promise.all(requests)).map((result) => result.i),
      [...Array(100).keys()],
    );
    assert.equal((await Promise.all(mixed)).length, 30);
  },

  async '32 MB results'({ connection }) {
    const results = await Promise.all([1, 2, 3].map(() => connection.sendRequest('bytes', { count: 32_000_000 })));
    for (const result of results) assert.equal(result.length, 32_000_000);
    const text = 'é'.repeat(8_000_000);
    assert.equal((await connection.sendRequest('echo', { text })).text, text);
  },

  async trace({ connection }) {
    const told = [];
    connection.onNotification('$/logTrace', (params) => told.push(params));
    await connection.sendRequest('initialize', { processId: process.pid, capabilities: {} });
    const seen = [];
    await connection.trace(rpc.Trace.Verbose, { log: (...words) => seen.push(words.join(' ')) }, true);
    await connection.sendRequest('echo', { text: 'hello', apiToken: 'hush' });
    await connection.trace(rpc.Trace.Off, { log: () => undefined }, true);
    const count = told.length;
    await connection.sendRequest('echo', { text: 'unheard' });
    await connection.sendRequest('get_data');
    assert.ok(seen.some((line) => line.includes('echo')));
    assert.ok(told.some(({ message }) => message.includes('echo')), JSON.stringify(told));
    assert.ok(told.some(({ verbose }) => (verbose ?? '').includes('hello')), JSON.stringify(told));
    assert.ok(!JSON.stringify(told).includes('hush'));
    assert.ok(told.length <= count + 1);
  },

  async 'disposed in mid-request'({ server, connection }) {
    await connection.sendRequest('initialize', { processId: process.pid, capabilities: {} });
    const { first } = listen(connection, 'w');
    const pending = connection.sendRequest('sleep', { seconds: 600, workDoneToken: 'w' });
    pending.catch(() => undefined);
    await first;
    connection.dispose();
    server.stdin.end();
    const [code] = await once(server, 'exit');
    assert.equal(code, 3);
  },

  async 'server killed in mid-request'({ server, connection }) {
    const { first } = listen(connection, 'w');
    const closed = new Promise((resolve) => connection.onClose(resolve));
    const pending = connection.sendRequest('sleep', { seconds: 600, workDoneToken: 'w' });
    pending.catch(() => undefined);
    await first;
    server.kill('SIGKILL');
    await closed;
  },

  async goodbye({ server, connection }) {
    const hello = await connection.sendRequest('initialize', {
      protocolVersion: '1.0',
      processId: process.pid,
      clientInfo: { name: 'test', version: '1' },
      capabilities: { anything: { nested: [1, null] } },
      trace: 'off',
    });
    assert.equal(typeof hello.serverInfo.version, 'string');
    assert.ok(hello.capabilities.methods.includes('health'));
    assert.ok(hello.limits.maxInFlight >= 100);
    assert.equal(await connection.sendRequest('shutdown'), null);
    assert.equal((await rejection(connection.sendRequest('health'))).code, rpc.ErrorCodes.InvalidRequest);
    connection.sendNotification('exit');
    const [code] = await once(server, 'exit');
    assert.equal(code, 0);
  },
};

async function main() {
  if (scenario === '--list') {
    console.log(JSON.stringify(Object.keys(scenarios)));
    return;
  }
  const { server, connection } = connect();
  try {
    await scenarios[scenario]({ server, connection });
  } finally {
    server.kill('SIGKILL');
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
