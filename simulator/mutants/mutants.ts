/**
 * Each guard of signing, taken away one at a time: a text of the product's source, and what stands in its place in a bundle that
 * the simulator runs, and nobody else. A text that is no longer there, once, fails the run: the list keeps up with the code.
 */

export interface Mutant {
  /** What is taken away. */
  name: string;
  edits: { file: string; find: string; replace: string }[];
}

const record = 'protocol/sign-record.ts';
const signing = 'signer/core/record-sign.ts';
const assess = 'signer/core/assess.ts';
const checks = 'signer/core/checks.ts';
const local = 'signer/core/local-signer.ts';
const release = 'signer/core/release.ts';
const signer = 'signer/core/record-signer.ts';

const one = (name: string, file: string, find: string, replace: string): Mutant => ({
  name,
  edits: [{ file, find, replace }],
});

const anything = "{ any: [{ attribute: 'epoch', is: '<=', value: 9e15 }] }";

export const mutants: readonly Mutant[] = [
  one(
    'a write’s condition: the record is the enrolled one',
    record,
    "    equal('recordId', recordId),\n    equal('epoch', epoch),",
    "    equal('epoch', epoch),",
  ),
  one(
    'a write’s condition: its epoch is the record’s',
    record,
    "    equal('epoch', epoch),\n    equal('holder', holder),",
    "    equal('holder', holder),",
  ),
  one(
    'a write’s condition: its server is the holder',
    record,
    "    equal('holder', holder),\n    equal('incarnation', incarnation),",
    "    equal('incarnation', incarnation),",
  ),
  one(
    'a write’s condition: its process is the holder’s',
    record,
    "    equal('incarnation', incarnation),\n  ];",
    '  ];',
  ),
  one('a write’s condition: the position rises', record, 'positionBelow(entry), ...lockKept', '...lockKept'),
  one(
    'a write’s condition: within a height the round rises',
    record,
    "equal('height', height), below('round', round)",
    "equal('height', height)",
  ),
  one(
    'a write’s condition: within a round the step rises',
    record,
    "equal('height', height), equal('round', round), below('step', step)",
    "equal('height', height), equal('round', round)",
  ),
  one(
    'the lock is kept by the next holder',
    record,
    '...held(holding), positionBelow(entry), ...lockKept',
    '...held(holding), positionBelow(entry)',
  ),
  one('a lock is of an epoch', record, "equal('lockEpoch', holding.epoch)", anything),
  one(
    'a lock is of a block',
    record,
    "equal('lockHeight', height), equal('lockBlock', voteFor)",
    "equal('lockHeight', height)",
  ),
  one('a precommit moves the lock', record, 'const locks = step === 3 &&', 'const locks = step > 3 &&'),
  one(
    'a claim’s condition: the record is the enrolled one',
    record,
    "        equal('recordId', recordId),\n        equal('grantEpoch', epoch),",
    "        equal('grantEpoch', epoch),",
  ),
  one(
    'a claim’s condition: the epoch is the granted one',
    record,
    "        equal('grantEpoch', epoch),\n",
    '',
  ),
  one(
    'a claim’s condition: it is granted to the claimant',
    record,
    "        equal('grantTo', holder),\n",
    '',
  ),
  one(
    'a claim’s condition: a grant is claimed once',
    record,
    "        below('epoch', epoch),\n      ],",
    '      ],',
  ),
  one(
    'a restart’s condition: the former process is ours',
    record,
    'when: { all: held(former) }',
    `when: ${anything}`,
  ),
  one(
    'a grant’s condition: the record is the one that was read',
    record,
    "all: [equal('recordId', seen.recordId), equal('grantEpoch', seen.grantEpoch)]",
    "all: [equal('grantEpoch', seen.grantEpoch)]",
  ),
  one(
    'a grant’s condition: two at once decide once',
    record,
    "all: [equal('recordId', seen.recordId), equal('grantEpoch', seen.grantEpoch)]",
    "all: [equal('recordId', seen.recordId)]",
  ),
  one(
    'a reading: the record is the enrolled one',
    assess,
    'if (record.recordId !== pin?.recordId || record.key !== pin.key)',
    'if (record.key !== pin?.key)',
  ),
  one('a reading: the record’s epoch never goes back', assess, 'record.epoch < epochSeen || ', ''),
  one(
    'a reading: the record’s position never goes back',
    assess,
    ' || comparePositions(record, seen) < 0',
    '',
  ),
  one(
    'a reading: the bytes are those that were seen',
    assess,
    'record.signBytes !== seen.signBytes',
    'record.signBytes === undefined',
  ),
  one(
    'what went back stays barred',
    'signer/core/record-view.ts',
    'if (isBar(trouble.code)) this.bar(trouble.code, trouble);\n    else this.#trouble = trouble;',
    'void isBar;',
  ),
  one(
    'a write in doubt is read back',
    signing,
    "if (writing.kind === 'done' && isAt(writing.record, wanted))",
    "if (writing.kind !== 'refused')",
  ),
  one(
    'a refused write is no write',
    signing,
    "if (writing.kind === 'done' && isAt(writing.record, wanted))",
    'if (writing && isAt)',
  ),
  one(
    'what is read back is the same act',
    signing,
    '  checkSameAct(request, held, isSameAct(request, held));\n',
    '',
  ),
  one(
    'a process that was fenced releases its own acts alone',
    signing,
    '(ours || reading.record.attempt === attempt)',
    '(ours || reading)',
  ),
  one('the disk holds what is signed', signing, '  await keeper.save();\n', ''),
  one(
    'a local guard’s position rises',
    local,
    'const order = checkOrder(request, seen);',
    "const order: string = 'above';\n      void checkOrder;",
  ),
  one(
    'a local guard’s same position is the same act',
    local,
    "if (order === 'same') checkSameAct(request, seen, isSameAct(request, seen));",
    'void [checkSameAct, isSameAct];',
  ),
  one(
    'a local guard’s disk holds what is signed',
    local,
    '    await keeper.save();\n  }\n\n  async #bar',
    '  }\n\n  async #bar',
  ),
  one(
    'what is signed is what is held',
    release,
    '      signBytes,\n      ...(extensionSignBytes',
    '      request.signBytesAt(request.timestamp) ?? signBytes,\n      ...(extensionSignBytes',
  ),
  one(
    'the disk has the journal’s line before it leaves',
    'signer/core/state.ts',
    'return { ...withSeen(state, 0, position), own, lastEntry };',
    'void lastEntry;\n  return { ...withSeen(state, 0, position), own };',
  ),
  one('the state goes on once the journal has the line before', signing, '  await releaser.settle();\n', ''),
  one(
    'a local guard’s state goes on once the journal has the line before',
    local,
    '      await releaser.settle();\n',
    '',
  ),
  one(
    'a line that a former process wrote is synced',
    'signer/disk/journal.ts',
    'await (this.#file ?? (await this.#open())).sync();',
    'void this.#open;',
  ),
  one(
    'a start writes the line that the journal lacks',
    'signer/core/journal-keeper.ts',
    'if (!had) this.note(entry);',
    'void had;',
  ),
  one(
    'a state file is synced before it is renamed',
    'signer/disk/atomic-file.ts',
    '    await handle.sync();\n',
    '',
  ),
  one(
    'a renamed state file’s folder is synced',
    'signer/disk/atomic-file.ts',
    '  await syncFolder(dirname(path), disk);\n',
    '  void [syncFolder, dirname];\n',
  ),
  one(
    'an appended state is synced',
    'signer/disk/state-file.ts',
    "this.#disk.open(this.#state, 'as+', 0o600)",
    "this.#disk.open(this.#state, 'a+' as 'as+', 0o600)",
  ),
  one(
    'a process begins a state file of its own',
    'signer/disk/state-file.ts',
    'if (!this.#file) return false;',
    "if (!this.#file) {\n      this.#file = await this.#disk.open(this.#state, 'as+', 0o600);\n      const found = await this.#file.stat();\n      this.#bytes = found.size;\n      this.#id = idOf(found);\n    }",
  ),
  one(
    'the last whole line of a state file counts',
    'protocol/signer-state-lines.ts',
    "text.slice(text.lastIndexOf('\\n', end - 1) + 1, end)",
    "text.slice(0, text.indexOf('\\n'))",
  ),
  one(
    'the journal is synced',
    'signer/disk/journal.ts',
    "this.#disk.open(path, 'as+', 0o600)",
    "this.#disk.open(path, 'a+' as 'as+', 0o600)",
  ),
  one(
    'an incarnation is on disk before it is sent',
    signer,
    'keeper.change((state) => withPendingIncarnation(state, this.#incarnation));\n    await keeper.save();',
    'void withPendingIncarnation;',
  ),
  one(
    'a far height needs the node’s word',
    checks,
    'return request.position.height > heldHeight + heightLeapMax;',
    'return request.position.height > heldHeight * Number.MAX_VALUE + heightLeapMax;',
  ),
  one(
    'a first signature looks for a foreign signer',
    'signer/core/foreign-watch.ts',
    '    if (this.#vetted) return;',
    '    if (!this.#vetted || asked !== undefined) return;',
  ),
  one(
    'a height that went by is looked at before the next signature',
    'signer/core/foreign-watch.ts',
    'asked - 1 > Math.max(known, this.#lookedTo)',
    'asked - 1 > Math.max(known, this.#lookedTo) + 1',
  ),
  one(
    'a state made on another machine is a copy',
    'signer/signer-process.ts',
    'if (state.machine !== machine)',
    'if (state.machine !== machine && machine === undefined)',
  ),
  {
    name: 'the grant: read and claimed by whom it names',
    edits: [
      { file: record, find: "        equal('grantTo', holder),\n", replace: '' },
      {
        file: assess,
        find: 'return record.grantTo === thing && record.grantEpoch > record.epoch;',
        replace: 'return thing !== undefined && record.grantEpoch > record.epoch;',
      },
    ],
  },
  {
    name: 'a clone is no holder',
    edits: [
      { file: record, find: "    equal('incarnation', incarnation),\n  ];", replace: '  ];' },
      {
        file: assess,
        find: 'if (record.incarnation === incarnation) return',
        replace: 'if (record.incarnation !== undefined || incarnation) return',
      },
    ],
  },
];
