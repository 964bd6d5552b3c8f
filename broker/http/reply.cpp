#include "broker/http/reply.h"

#include <cassert>

namespace weir {

bool has_content(int status) { return status != 204 && status != 304; }

const char* status_text(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

Reply json_reply(int status, const JsonObject& body) {
  Reply reply;
  reply.status = status;
  reply.content_type = "application/json";
  reply.body = body.text();
  reply.body += '\n';
  return reply;
}

JsonObject error_json(int status, std::string_view detail) {
  JsonObject json;
  json.add_text("error", status_text(status)).add_text("detail", detail);
  return json;
}

Reply error_reply(int status, std::string_view detail) {
  return json_reply(status, error_json(status, detail));
}

Reply channel_error_reply(int status, std::string_view detail, std::string_view channel) {
  return json_reply(status, error_json(status, detail).add_text("channel", channel));
}

std::string_view connection_line(const Delivery& delivery) {
  if (!delivery.keeps_alive) return "Connection: close\r\n";
  return delivery.is_http_1_0 ? "Connection: keep-alive\r\n" : "";
}

std::string encode_reply(const Reply& reply, const Delivery& delivery) {
  std::string out;
  out.reserve(256 + reply.body.size());
  out += "HTTP/1.1 " + std::to_string(reply.status) + ' ' + status_text(reply.status) + "\r\n";
  for (const Header& header : reply.headers) {
    assert(header.value.find_first_of("\r\n") == std::string::npos);
    out += header.name + ": " + header.value + "\r\n";
  }
  if (!reply.content_type.empty()) out += "Content-Type: " + reply.content_type + "\r\n";
  // A 204 has no length (RFC 9110, 8.6), a 304 not its own, and a HEAD of a stream none that is known.
  if (has_content(reply.status) && !reply.is_stream_head) {
    out += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  }
  out += connection_line(delivery);
  out += "\r\n";
  if (!delivery.is_head_request && has_content(reply.status)) out += reply.body;
  return out;
}

// Without parameters: cpp-httplib would gzip "text/event-stream; charset=utf-8".
void become_stream(Reply& reply) {
  reply.content_type = "text/event-stream";
  reply.headers.push_back({"Cache-Control", "no-cache, no-transform"});
  reply.headers.push_back({"X-Accel-Buffering", "no"});
}

Reply with_headers(Reply reply, const std::vector<Header>& headers) {
  reply.headers.insert(reply.headers.end(), headers.begin(), headers.end());
  return reply;
}

}  // namespace weir
