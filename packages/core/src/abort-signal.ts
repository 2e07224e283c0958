declare global {
  /**
   * The platform's cancellation signal, named here because this package compiles without any platform's types.
   * Merges with the full declaration wherever there is one.
   */
  interface AbortSignal {
    readonly aborted: boolean
  }
}

export type CancelSignal = AbortSignal
