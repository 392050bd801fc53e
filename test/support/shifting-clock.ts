// Preloaded into a process: each SIGUSR2 shifts its clock by the next of CLOCK_SHIFTS (milliseconds, separated by commas).
const shifts = (process.env.CLOCK_SHIFTS ?? '').split(',').map(Number);
const RealDate = Date;
let offset = 0;

class ShiftedDate extends RealDate {
  constructor(...values: [] | [number | string | Date]) {
    if (values.length === 0) super(RealDate.now() + offset);
    else super(...(values as [number]));
  }

  static override now(): number {
    return RealDate.now() + offset;
  }
}

globalThis.Date = ShiftedDate as DateConstructor;
process.on('SIGUSR2', () => {
  offset = shifts.shift() ?? 0;
  process.stdout.write(`the clock is shifted by ${offset}\n`);
});
