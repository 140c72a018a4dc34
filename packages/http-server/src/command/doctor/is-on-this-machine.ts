/** Whether what is sent to an address stays on this machine. */
export function isOnThisMachine(address: string): boolean {
  return /^(localhost|127\..*|\[::1\])$/.test(new URL(address).hostname);
}
