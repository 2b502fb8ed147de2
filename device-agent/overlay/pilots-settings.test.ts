import { expect, test } from '@jest/globals';
import { pilotsSettings, signerAddress, socketOf } from './pilots-settings.ts';

test('gaiad listens where its signer dials, if that is on this host; else it is left as it is', () => {
  const at = (node: string | undefined) => signerAddress(node, '/b/run/signer.sock', ['10.0.0.5', 'fd00::5']);
  expect(at(undefined)).toBe('unix:///b/run/signer.sock');
  for (const here of [
    'tcp://127.0.0.1:26659',
    'tcp://localhost:1',
    'tcp://10.0.0.5:26659',
    'tcp://[fd00::5]:2',
  ]) {
    expect(at(here)).toBe(here);
    expect(pilotsSettings('validator', at(here), true)).toMatchObject({ priv_validator_laddr: here });
    // Nothing of a unix socket is to be cleared away.
    expect(socketOf(at(here))).toBeUndefined();
  }
  expect(socketOf(at(undefined))).toBe('/b/run/signer.sock');
  expect(at('tcp://10.0.0.6:26659')).toBeUndefined();
  expect(pilotsSettings('validator', at('tcp://10.0.0.6:26659'), true)).toEqual({});
  expect(pilotsSettings('validator', at(undefined), false)).toEqual({});
});
