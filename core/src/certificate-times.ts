import { X509Certificate } from 'node:crypto';

const DAY_MS = 86_400_000;
/** Clocks of other machines may be behind: a certificate of ours begins so long before it is made. */
export const SKEW_MS = 3_600_000;
/** For so long a former authority signs on, and is handed out beside the one that follows it. */
export const OVERLAP_DAYS = 30;

/** Until when the authority before this one signs. */
export const overlapEnd = (authority: string): Date =>
  new Date(Date.parse(new X509Certificate(authority).validFrom) + SKEW_MS + OVERLAP_DAYS * DAY_MS);
