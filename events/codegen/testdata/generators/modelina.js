// Makes types of contract.json with Modelina: modelina.go and modelina.ts. Prints
// the names of the types.
'use strict';

const { readFileSync, writeFileSync } = require('node:fs');
const { GoGenerator, TypeScriptGenerator } = require('@asyncapi/modelina');

async function main() {
  const contract = JSON.parse(readFileSync('contract.json', 'utf8'));
  const names = new Set();
  for (const [generator, file, head] of [
    [new GoGenerator(), 'modelina/modelina.go', 'package modelina\n'],
    [new TypeScriptGenerator({ modelType: 'interface' }), 'modelina.ts', 'export {};\n'],
  ]) {
    const models = await generator.generate(contract);
    writeFileSync(file, head + models.map((m) => m.result).join('\n\n'));
    for (const m of models) names.add(m.modelName);
  }
  process.stdout.write(JSON.stringify([...names].sort()));
}

main();
