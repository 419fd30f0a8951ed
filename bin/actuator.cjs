#!/usr/bin/env node
'use strict';
// ES5 on purpose: an old Node must be able to read this file far enough to say what to do.
var fs = require('fs');
var path = require('path');
var root = path.join(__dirname, '..');
var current = process.versions.node.split('.').map(Number);
var newEnough = current[0] > 24 || (current[0] === 24 && current[1] >= 15);

if (newEnough) {
  var built = path.join(root, 'dist', 'main', 'cli.js');
  // A checkout runs its source; an installed package (no src/) runs what was built.
  var source = path.join(root, 'src', 'main', 'cli.ts');
  import(require('url').pathToFileURL(fs.existsSync(source) ? source : built).href);
} else {
  var bundled = path.join(root, 'node_modules', '.bin', 'node');
  if (!fs.existsSync(bundled) || process.env.ACTUATOR_REEXECUTED) {
    console.error(
      'actuator needs Node 24.15 or newer, this is ' +
        process.version +
        '. Install Node 24, or run "npm ci" in ' +
        root +
        ' (Linux), which brings it.',
    );
    process.exit(1);
  }
  var child = require('child_process').spawn(bundled, [__filename].concat(process.argv.slice(2)), {
    stdio: 'inherit',
    env: Object.assign({}, process.env, { ACTUATOR_REEXECUTED: '1' }),
  });
  ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach(function (signal) {
    process.on(signal, function () {
      child.kill(signal);
    });
  });
  child.on('exit', function (code, signal) {
    process.exit(signal ? 1 : code);
  });
}
