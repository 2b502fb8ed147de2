/** What get_registry_data() gives: an API's answer. */
import type { RegistryApi } from '../engines/sql/message.ts';
import type { Value } from '../engines/sql/values.ts';
import { groupEntry } from '../https/thing-groups-api.ts';
import { describeThing } from '../https/things-api.ts';
import type { Registry } from '../registry/registry.ts';

/** @returns undefined where there is no such thing */
export function registryData(registry: Registry, api: RegistryApi, thing: string): Value {
  if (!registry.things.find(thing)) return undefined;
  if (api === 'DescribeThing') return describeThing(registry, thing);
  return { thingGroups: registry.groups.groupsOf(thing).map(groupEntry) };
}
