import { runEpisode } from './episode.ts';
import { drawSchedule } from './schedule.ts';
for (const m of ['info','warn','error'] as const) console[m] = (t: string) => { if (process.argv[4]) process.stdout.write('      ' + t + '\n'); };
const [from, count, verbose] = process.argv.slice(2).map(Number);
const t0 = process.cpuUsage();
let signs = 0;
for (let s = from ?? 1; s < (from ?? 1) + (count ?? 5); s++) {
  const schedule = drawSchedule(s);
  const o = await runEpisode(schedule, verbose ? (l) => process.stdout.write(l + '\n') : undefined);
  signs += o.signs;
  if (o.violations.length || o.stuck || verbose) process.stdout.write(`${JSON.stringify(o)} ${schedule.mix.guard} ${schedule.faults.map(f=>f.kind)}\n`);
}
process.stdout.write(`${signs} signs, ${(signs / (process.cpuUsage(t0).user + process.cpuUsage(t0).system) * 1e6).toFixed(0)}/s\n`);
