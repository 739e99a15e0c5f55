# frozen_string_literal: true

# The application in Sinatra, for Puma, with the settings of a classic application:
# a form may name another method.
require 'json'
require 'sinatra/base'

class Upstream < Sinatra::Base
  enable :method_override

  LOG = File.open(ENV.fetch('ORACLE_LOG'), 'a')
  LOG.sync = true

  def told(handler)
    headers = request.env.filter_map { |name, value| [name.delete_prefix('HTTP_'), value] if name.start_with?('HTTP_') }
    line = { handler: handler, method: request.request_method, path: request.path_info, host: request.host,
             slug: params['slug'].to_s, protocol: request.env['SERVER_PROTOCOL'].to_s, headers: headers }
    text = JSON.generate(line.transform_values { |value| clean(value) })
    LOG.write("#{text}\n")
    status handler == 'none' ? 404 : 200
    content_type :json
    text
  end

  def clean(value)
    value.is_a?(Array) ? value.map { |inner| clean(inner) } : value.dup.force_encoding('UTF-8').scrub
  end

  def self.all(path, handler, methods = %i[get post put patch delete options])
    methods.each { |method| send(method, path) { told(handler) } }
  end

  all '/', 'home'
  all '/open/*', 'open'
  all '/assets/*', 'asset'
  all '/api/login', 'login'
  all '/api/posts', 'posts-read', %i[get]
  all '/api/posts', 'posts-write', %i[post delete]
  all '/api/posts/:id', 'posts-read', %i[get]
  all '/api/posts/:id', 'posts-write', %i[post delete]
  all '/admin', 'admin'
  all '/admin/*', 'admin'
  all '/files/secret/*', 'secret'
  all '/files/*', 'files'
  all '/dashboard', 'dashboard'
  all '/orgs/:slug', 'orgs'
  all '/orgs/:slug/*', 'orgs'
  not_found { told('none') }
end

run Upstream
