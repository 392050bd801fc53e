/** Whether the work was done before the time was over; its failure is the caller's. */
export async function doneWithin(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  return Promise.race([work.then(() => true), timeout]).finally(() => clearTimeout(timer));
}
