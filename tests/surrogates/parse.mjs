// node parse.mjs FILE…: prints {file: error or null}, read as the browser reads a classic script.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';

const outcome = {};
for (const file of process.argv.slice(2)) {
  try {
    outcome[file] = new vm.Script(readFileSync(file, 'utf8')) && null;
  } catch (error) {
    outcome[file] = String(error);
  }
}
process.stdout.write(JSON.stringify(outcome));
