/** Of `sockaddr_un.sun_path` 108 bytes, the last one 0 (unix(7)). */
export const unixPathBytesMax = 107;
