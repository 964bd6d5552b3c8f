import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// In this repository the client is its own build. Elsewhere it is a dependency, and `resolve` and `fs` are not needed:
// npm install @weir/client
const dist = fileURLToPath(new URL("../../web/dist", import.meta.url));

// base "./": the built page works under any path of any server.
export default defineConfig({
  base: "./",
  plugins: [react()],
  resolve: {
    alias: [
      { find: /^@weir\/client$/, replacement: `${dist}/weir.js` },
      { find: /^@weir\/client\/react$/, replacement: `${dist}/react.js` },
    ],
    dedupe: ["react"],
  },
  server: { port: 5173, strictPort: true, fs: { allow: [".", dist] } },
});
