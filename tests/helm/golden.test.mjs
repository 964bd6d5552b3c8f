// What each combination of values renders, kept in golden/ so that a change of the chart shows what it changes.
// WEIR_UPDATE_GOLDEN=1 writes the files anew.
import assert from 'node:assert/strict';
import {readFileSync, writeFileSync} from 'node:fs';
import {test} from 'node:test';
import {majors, parse, renderText} from './helm.mjs';
import {combinations} from './values.mjs';

// The majors order documents differently.
const sorted = (documents) =>
  documents.sort((a, b) => `${a.kind}/${a.metadata.name}`.localeCompare(`${b.kind}/${b.metadata.name}`));

for (const [name, values] of Object.entries(combinations)) {
  const file = new URL(`golden/${name}.yaml`, import.meta.url);
  for (const major of majors) {
    test(`helm ${major} renders golden/${name}.yaml`, () => {
      // The dashboard has tests of its own.
      const text = renderText(major, {...values, dashboard: {enabled: false}});
      if (process.env.WEIR_UPDATE_GOLDEN) writeFileSync(file, text);
      assert.deepEqual(sorted(parse(text)), sorted(parse(readFileSync(file, 'utf8'))));
    });
  }
}
