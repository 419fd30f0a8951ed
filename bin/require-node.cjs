'use strict';
// Without this guard an old Node only says "No such built-in module: node:sqlite".
var version = process.versions.node.split('.').map(Number);
if (version[0] < 24 || (version[0] === 24 && version[1] < 15)) {
  console.error(
    'This needs Node 24.15 or newer, this is ' + process.version + '. Run "npm ci" (Linux: it brings Node 24), or install Node 24.',
  );
  process.exit(1);
}
