// The content security policy of every page, in Electron and in a browser.

/** `connect` is what the page may connect to beside where it came from. Mantine sets style attributes. */
export function contentSecurityPolicy(connect = ""): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self'",
    `connect-src 'self' ${connect}`.trim(),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
