#include "tests/support/redis_server.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>

namespace weir {
namespace {

constexpr std::chrono::seconds kDeadline{60};

bool is_free(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool is_bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  ::close(fd);
  return is_bound;
}

// Not one of the ports that the kernel gives to outgoing connections: while the server is down, one of these
// could take its port, or even connect to itself.
std::uint16_t free_port() {
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> any(10'000, 32'000);
  for (int i = 0; i < 1'000; ++i) {
    const auto port = static_cast<std::uint16_t>(any(random));
    if (is_free(port)) return port;
  }
  throw std::runtime_error("no free port");
}

struct ContextDeleter {
  void operator()(redisContext* context) const { redisFree(context); }
};
struct ReplyDeleter {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using ContextPtr = std::unique_ptr<redisContext, ContextDeleter>;
using ReplyPtr = std::unique_ptr<redisReply, ReplyDeleter>;

std::string text_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      return std::to_string(reply.integer);
    case REDIS_REPLY_NIL:
      return "(nil)";
    case REDIS_REPLY_ERROR:
      return "-" + std::string(reply.str, reply.len);
    case REDIS_REPLY_ARRAY: {
      std::string text;
      for (std::size_t i = 0; i < reply.elements; ++i)
        text += (i == 0 ? "" : " ") + text_of(*reply.element[i]);
      return text;
    }
    default:
      return std::string(reply.str, reply.len);
  }
}

void append(redisContext& context, const RedisServer::Words& words) {
  std::vector<const char*> starts;
  std::vector<std::size_t> sizes;
  for (const std::string& word : words) {
    starts.push_back(word.data());
    sizes.push_back(word.size());
  }
  redisAppendCommandArgv(&context, static_cast<int>(words.size()), starts.data(), sizes.data());
}

std::string read_reply(redisContext& context) {
  void* reply = nullptr;
  if (redisGetReply(&context, &reply) != REDIS_OK)
    throw std::runtime_error(std::string("redis: ") + context.errstr);
  return text_of(*ReplyPtr(static_cast<redisReply*>(reply)));
}

ContextPtr connect(std::uint16_t port, const std::string& password) {
  ContextPtr context(redisConnectWithTimeout("127.0.0.1", port, {30, 0}));
  if (context == nullptr || context->err != 0) throw std::runtime_error("redis: no connection");
  redisSetTimeout(context.get(), {60, 0});
  if (!password.empty()) {
    append(*context, {"AUTH", password});
    read_reply(*context);
  }
  return context;
}

}  // namespace

RedisServer::RedisServer(Options options) : options_(std::move(options)) {
  std::string name = (std::filesystem::temp_directory_path() / "weir-redis-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("can't make a folder for redis-server");
  folder_ = name;
  // Somebody else may take a port just now.
  for (int i = 0; i < 5; ++i) {
    port_ = free_port();
    while (options_.tls && (tls_port_ == 0 || tls_port_ == port_)) tls_port_ = free_port();
    if (!options_.is_started || try_start()) return;
    tls_port_ = 0;
  }
  throw std::runtime_error("redis-server does not start: " + log());
}

RedisServer::~RedisServer() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void RedisServer::start() {
  if (pid_ != -1) throw std::runtime_error("redis-server runs already");
  if (!try_start()) throw std::runtime_error("redis-server does not start: " + log());
}

bool RedisServer::try_start() {
  Words words{"redis-server", "--port", std::to_string(port_), "--bind",    "127.0.0.1",
              "--save",       "",       "--daemonize",         "no",        "--appendonly",
              "no",           "--dir",  folder_.string(),      "--logfile", (folder_ / "log").string()};
  if (options_.has_unix_socket) words.insert(words.end(), {"--unixsocket", (folder_ / "socket").string()});
  if (!options_.password.empty()) words.insert(words.end(), {"--requirepass", options_.password});
  if (options_.tls) {
    words.insert(words.end(), {"--tls-port", std::to_string(tls_port_), "--tls-cert-file",
                               options_.tls->certificate, "--tls-key-file", options_.tls->key});
    const bool is_asked = !options_.tls->client_ca.empty();
    words.insert(words.end(), {"--tls-auth-clients", is_asked ? "yes" : "no", "--tls-ca-cert-file",
                               is_asked ? options_.tls->client_ca : options_.tls->certificate});
  }
  words.insert(words.end(), options_.arguments.begin(), options_.arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  if (pid_ < 0) throw std::runtime_error("can't fork");

  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (std::chrono::steady_clock::now() < deadline) {
    if (is_answering()) return true;
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill();
  return false;
}

bool RedisServer::is_answering() const try {
  const ContextPtr context = connect(port_, options_.password);
  append(*context, {"PING"});
  // Another server on this port would answer too: it has to be this process.
  if (read_reply(*context) != "PONG") return false;
  append(*context, {"INFO", "server"});
  return read_reply(*context).find("process_id:" + std::to_string(pid_) + "\r") != std::string::npos;
} catch (const std::runtime_error&) {
  return false;
}

void RedisServer::kill() {
  if (pid_ == -1) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RedisServer::pause() {
  ::kill(pid_, SIGSTOP);
  ::waitpid(pid_, nullptr, WUNTRACED);
}

void RedisServer::resume() { ::kill(pid_, SIGCONT); }

std::string RedisServer::url() const {
  const std::string login = options_.password.empty() ? "" : ":" + options_.password + "@";
  return "redis://" + login + "127.0.0.1:" + std::to_string(port_);
}

std::string RedisServer::unix_url() const { return "unix://" + (folder_ / "socket").string(); }

std::string RedisServer::tls_url(const std::string& host) const {
  return "rediss://" + host + ":" + std::to_string(tls_port_);
}

std::string RedisServer::command(const Words& words) const { return pipeline({words}).front(); }

std::vector<std::string> RedisServer::pipeline(const std::vector<Words>& commands) const {
  const ContextPtr context = connect(port_, options_.password);
  for (const Words& words : commands) append(*context, words);
  std::vector<std::string> replies;
  for (std::size_t i = 0; i < commands.size(); ++i) replies.push_back(read_reply(*context));
  return replies;
}

std::string RedisServer::subscribers(const std::string& channel) const {
  const std::string reply = command({"PUBSUB", "NUMSUB", channel});
  return reply.substr(reply.rfind(' ') + 1);
}

std::string RedisServer::log() const {
  std::ifstream file(folder_ / "log");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace weir
