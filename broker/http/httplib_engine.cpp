#include "broker/http/httplib_engine.h"

#include <httplib.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

#include "broker/base/logging.h"

namespace weir {
namespace {

// A stream of the library without a socket. Some functions are virtual in some versions only (0.18 has
// is_writable() alone, 0.20 and later also wait_writable()), and clang wants `override` on all or none.
class MemoryStream final : public httplib::Stream {
 public:
  explicit MemoryStream(std::string_view input) : input_(input) { output_.reserve(512); }

  bool is_readable() const { return true; }
  bool is_writable() const { return true; }
  bool wait_readable() const { return true; }
  bool wait_writable() const { return true; }
  bool is_peer_alive() const { return true; }
  time_t duration() const { return 0; }

  ssize_t read(char* to, std::size_t size) {
    const std::size_t taken = std::min(size, input_.size());
    std::memcpy(to, input_.data(), taken);
    input_.remove_prefix(taken);
    return static_cast<ssize_t>(taken);
  }
  ssize_t write(const char* from, std::size_t size) {
    output_.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const { ip.clear(), port = 0; }
  void get_local_ip_and_port(std::string& ip, int& port) const { ip.clear(), port = 0; }
  // Below FD_SETSIZE: versions built without poll() refuse a socket that select() could not wait for.
  socket_t socket() const { return 0; }

  std::string& output() { return output_; }

 private:
  std::string_view input_;
  std::string output_;
};

// One request on its way through the library.
struct Exchange {
  Request& request;
  Handler& handler;
  std::optional<Reply> reply;
  bool is_stream = false;  // The provider was called: the head is in the buffer, the socket may go.
};
// The library passes none of our data to its handlers, but a request stays on one thread from end to end.
thread_local Exchange* current_exchange = nullptr;

// Answers every request with an empty reply.
class Nothing final : public Handler {
 public:
  Reply handle(Request&) override { return json_reply(200, JsonObject()); }
  Reply overloaded(const Head&) override { return {}; }
  std::vector<Header> cors_headers(const Head&) const override { return {}; }
  bool is_draining() const override { return false; }
};

// The reply to a request that the handler has no reply to.
Reply refusal_of(int status, std::string_view detail, const Exchange& exchange) {
  Reply reply = error_reply(status, detail);
  reply.closes = true;
  return with_headers(std::move(reply), exchange.handler.cors_headers(exchange.request.head));
}

// Only the log gets the error's text: it may say more about this machine than a client should know.
Reply failure(const char* what, const Exchange& exchange) {
  log_error(std::string("a request failed: ") + what);
  return refusal_of(500, "the request failed; the log of the gateway says why", exchange);
}

std::string canonical_request(const Head& head) {
  std::string text;
  text.reserve(128 + head.path.size());
  text += head.method;
  text += ' ';
  text += head.path;
  // Query and body stay with us: routes read them from the Request, so that form types arrive
  // uncopied and byte for byte.
  text += " HTTP/1.1\r\nHost: ";
  const std::string* host = head.find("host");
  if (host != nullptr) text += *host;
  text += "\r\nContent-Length: 0\r\n\r\n";
  return text;
}

// Puts our own decisions into the library's response head: the front decides on Connection, an HTTP/1.0
// client knows no chunks, a 204 or 304 has no length. Returns the whole response.
std::string rewrite_head(const std::string& response, int status, const Delivery& delivery) {
  const std::size_t head_size = response.find("\r\n\r\n");
  assert(head_size != std::string::npos);
  std::string out;
  out.reserve(response.size() + 32);
  std::string_view lines(response.data(), head_size + 2);
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n") + 2;
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end);
    const std::string_view name = line.substr(0, line.find(':'));
    if (equals_ignoring_case(name, "Connection") || equals_ignoring_case(name, "Keep-Alive")) continue;
    if (equals_ignoring_case(name, "Accept-Ranges")) continue;
    if (delivery.is_http_1_0 && equals_ignoring_case(name, "Transfer-Encoding")) continue;
    if (!has_content(status) && equals_ignoring_case(name, "Content-Length")) continue;
    out += line;
  }
  out += connection_line(delivery);
  out.append(response, head_size + 2);
  return out;
}

}  // namespace

class HttplibEngine::Library final : public httplib::Server {
 public:
  Library() {
    // is_shutting_down is `svr_sock_ == INVALID_SOCKET`, and a server that is shutting down calls no
    // provider. This one never listens, so any other number will do: nothing ever uses it.
    svr_sock_ = 0;
    // Before routing: std::regex recurses for each character of a path.
    set_pre_routing_handler([](const httplib::Request&, httplib::Response& response) {
      respond(*current_exchange, response);
      return httplib::Server::HandlerResponse::Handled;
    });
    make_statics();
  }

  void run(httplib::Stream& stream) { process(*this, stream); }

 private:
  // The library makes its function-local statics (such as the methods that parse_request_line knows) at its
  // first request. Make that request here, on one thread: ThreadSanitizer does not see the statics' guards in
  // a build of the library that is not instrumented.
  void make_statics() {
    Nothing nothing;
    Request request;
    request.head.method = "GET";
    request.head.path = "/";
    const std::string text = canonical_request(request.head);
    MemoryStream stream(text);
    Exchange exchange{request, nothing, std::nullopt, false};
    current_exchange = &exchange;
    run(stream);
    current_exchange = nullptr;
  }

  // Its signature depends on the version: 0.15 and later want the addresses of both ends.
  template <typename Self>
  static void process(Self& self, httplib::Stream& stream) {
    bool is_closed = false;
    const std::function<void(httplib::Request&)> no_setup;
    if constexpr (requires { self.process_request(stream, true, is_closed, no_setup); }) {
      self.process_request(stream, true, is_closed, no_setup);
    } else {
      self.process_request(stream, std::string(), 0, std::string(), 0, true, is_closed, no_setup);
    }
  }

  static void respond(Exchange& exchange, httplib::Response& response) {
    try {
      exchange.reply = exchange.handler.handle(exchange.request);
    } catch (const std::exception& error) {
      exchange.reply = failure(error.what(), exchange);
    } catch (...) {
      exchange.reply = failure("an unknown exception", exchange);
    }
    const Reply& reply = *exchange.reply;
    response.status = reply.status;
    for (const Header& header : reply.headers) response.set_header(header.name, header.value);
    if (reply.stream) {
      // The library calls it once, after it has written the head. An exception here would end the process.
      response.set_chunked_content_provider(reply.content_type,
                                            [&exchange](std::size_t, httplib::DataSink&) noexcept {
                                              exchange.is_stream = true;
                                              return false;
                                            });
    } else if (!reply.content_type.empty()) {
      response.set_content(reply.body, reply.content_type);
    }
  }
};

HttplibEngine::HttplibEngine(Handler& handler) : handler_(handler), library_(std::make_unique<Library>()) {}
HttplibEngine::~HttplibEngine() = default;

Delivery delivery_of(const Request& request) {
  return {request.head.is_http_1_0, request.head.method == "HEAD", request.keeps_alive};
}

Answer plain_answer(Reply reply, const Delivery& delivery) {
  Answer answer;
  answer.status = reply.status;
  answer.closes = reply.closes || !delivery.keeps_alive;
  answer.refused = reply.refused;
  answer.bytes = encode_reply(reply, {delivery.is_http_1_0, delivery.is_head_request, !answer.closes});
  return answer;
}

Answer HttplibEngine::run(Request& request) {
  const std::string text = canonical_request(request.head);
  MemoryStream stream(text);
  Exchange exchange{request, handler_, std::nullopt, false};
  Delivery delivery = delivery_of(request);
  current_exchange = &exchange;
  try {
    library_->run(stream);
  } catch (const std::exception& error) {
    exchange.reply = failure(error.what(), exchange);
    stream.output().clear();
  }
  current_exchange = nullptr;

  // The library found a fault that parse_head() let pass. Its own answer has no useful body.
  if (!exchange.reply) exchange.reply = refusal_of(400, "the request could not be parsed", exchange);
  Reply& reply = *exchange.reply;
  if (reply.later) {
    Answer answer;
    answer.later = std::move(reply.later);
    return answer;
  }
  const bool has_response = stream.output().find("\r\n\r\n") != std::string::npos;
  // The library would give a HEAD of a stream a length, or chunks.
  if (reply.is_stream_head || !has_response) return plain_answer(std::move(reply), delivery);

  Answer answer;
  answer.status = reply.status;
  answer.refused = reply.refused;
  // A stream is the last thing on its connection, and an HTTP/1.0 stream ends by closing.
  answer.closes = reply.closes || !delivery.keeps_alive || exchange.is_stream;
  delivery.keeps_alive = !answer.closes;
  answer.bytes = rewrite_head(stream.output(), reply.status, delivery);
  if (exchange.is_stream) {
    answer.stream = std::move(reply.stream);
    answer.stream->set_head(std::exchange(answer.bytes, std::string()), delivery);
  }
  return answer;
}

}  // namespace weir
