import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// base "./": the built page works under any path of any server.
export default defineConfig({ base: "./", plugins: [react()], server: { port: 5173, strictPort: true } });
