import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { connect } from "@weir/client";
import { Answer } from "./Answer";
import { Feed } from "./Feed";
import "./style.css";

// The gateway is another origin than this page, so it must allow it: weir-broker --cors-origin http://localhost:5173
const query = new URLSearchParams(location.search);
const gateway = query.get("gateway") ?? import.meta.env.VITE_GATEWAY ?? "http://localhost:8080";
const channel = query.get("channel") ?? "stream";
const answer = query.get("answer");
// One for the page. All of its components share a stream, and so do all of its tabs.
const weir = connect(gateway);

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <main>{answer ? <Answer weir={weir} channel={answer} /> : <Feed weir={weir} channel={channel} />}</main>
  </StrictMode>,
);
