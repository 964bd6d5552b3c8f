import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Stream } from "./Stream";
import "./style.css";

// The gateway is another origin than this page, so it must allow it: weir-broker --cors-origin http://localhost:5173
const query = new URLSearchParams(location.search);
const gateway = query.get("gateway") ?? import.meta.env.VITE_GATEWAY ?? "http://localhost:8080";
const channel = query.get("channel") ?? "stream";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Stream url={`${gateway}/channels/${encodeURIComponent(channel)}`} />
  </StrictMode>,
);
