/** What a drill's last line must say for the drill to count as passed. */

/** From the fault to a signature of ours on the chain: at most this, and a block. */
const secondsWithoutSignatureMax = 5;
/** From here on (blocks of 6 s, as measured) one missed block is the most. */
const longBlockSeconds = 5.5;

const numbers = [
  'missedBlocks',
  'secondsWithoutSignature',
  'epochBefore',
  'epochAfter',
  'conflicts',
  'blockSeconds',
];

/**
 * @param {string} stdout
 * @returns {Record<string, unknown> | undefined} the last line's object; undefined where it isn't one.
 */
export function lastJsonLine(stdout) {
  try {
    const value = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} fault the one that was asked for
 * @param {Record<string, unknown> | undefined} result the drill's last line
 * @returns {string[]} what speaks against it; none: passed.
 */
export function judgeDrill(fault, result) {
  if (!result) return ['its last line is not a JSON object'];
  const unfit = numbers.filter((name) => typeof result[name] !== 'number' || !Number.isFinite(result[name]));
  if (unfit.length > 0) return [`not a number in its last line: ${unfit.join(', ')}`];

  const { missedBlocks, secondsWithoutSignature, epochBefore, epochAfter, conflicts, blockSeconds } = result;
  const against = [];
  if (result.fault !== fault) against.push(`it speaks of the fault ${JSON.stringify(result.fault)}`);
  if (result.ok !== true) against.push('it says itself that it is not ok');
  if (conflicts !== 0) against.push(`${conflicts} conflicting signatures`);
  if (blockSeconds <= 0) against.push('no blocks were measured');
  if (fault === 'none' || fault === 'pilot') {
    if (missedBlocks !== 0) against.push(`${missedBlocks} blocks missed, none allowed`);
  } else {
    const secondsMax = secondsWithoutSignatureMax + blockSeconds;
    if (secondsWithoutSignature > secondsMax) {
      against.push(`${secondsWithoutSignature} s without a signature, ${secondsMax.toFixed(1)} s allowed`);
    }
    if (blockSeconds >= longBlockSeconds && missedBlocks > 1)
      against.push(`${missedBlocks} blocks missed, 1 allowed`);
  }
  // A dead signer is started again or relieved, whichever is quicker; a dead pilot changes nothing.
  if (fault === 'pilot' && epochAfter !== epochBefore)
    against.push(`epoch ${epochBefore} became ${epochAfter}`);
  if (['none', 'gaiad', 'host', 'freeze'].includes(fault) && epochAfter <= epochBefore) {
    against.push(`no takeover: the epoch was ${epochBefore} and is ${epochAfter}`);
  }
  return against;
}
