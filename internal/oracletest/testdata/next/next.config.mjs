// One application, built once as it is and once below a path and with locales
// (pages alone have those).
const distDir = process.env.ORACLE_NEXT ?? ".next";

export default {
  generateBuildId: () => "build",
  distDir,
  ...(distDir === ".next-mounted" && { basePath: "/app", i18n: { locales: ["en", "fr"], defaultLocale: "en" } }),
};
