// Parses the AsyncAPI document on standard input and prints what is in it.
'use strict';

const { Parser } = require('@asyncapi/parser');

async function main() {
  let text = '';
  for await (const part of process.stdin) text += part;
  const { document, diagnostics } = await new Parser().parse(text);
  const errors = diagnostics.filter((d) => d.severity === 0).map((d) => `${d.path.join('.')}: ${d.message}`);
  const warnings = diagnostics.filter((d) => d.severity === 1).map((d) => `${d.path.join('.')}: ${d.message}`);
  const channels = {};
  for (const channel of document ? document.channels().all() : []) {
    channels[channel.address()] = channel.messages().all().map((m) => m.name()).sort();
  }
  const servers = document ? document.servers().all().map((s) => `${s.protocol()}://${s.host()}`).sort() : [];
  process.stdout.write(JSON.stringify({ errors, warnings, channels, servers }));
}

main();
