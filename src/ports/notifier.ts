/** Tells people. At least once; repeats carry the same key. */
export interface Notifier {
  notify(notice: {
    readonly key: string;
    readonly severity: 'info' | 'warning' | 'critical';
    readonly message: string;
    readonly channels?: readonly string[];
  }): Promise<void>;
}
