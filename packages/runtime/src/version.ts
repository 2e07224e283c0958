/** Version of every Shoal package and of the binary; a test keeps it equal to the root package.json. */
export const shoalVersion = '0.1.0'
