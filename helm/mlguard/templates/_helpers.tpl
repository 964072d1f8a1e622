{{- define "mlguard.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels by which a component is selected: dict "root" $ "component" NAME. */}}
{{- define "mlguard.selector" -}}
app.kubernetes.io/name: mlguard
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "mlguard.labels" -}}
{{ include "mlguard.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: mlguard
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Image of a component: dict "root" $ "component" NAME. */}}
{{- define "mlguard.image" -}}
{{- $own := (get .root.Values .component).image -}}
{{- if $own -}}
{{- $own -}}
{{- else -}}
{{- $text := printf "image.repository is required, as no image is published yet: build the images, and install with --set image.repository=REGISTRY/mlguard for REGISTRY/mlguard-%s" .component -}}
{{- $repository := required $text .root.Values.image.repository -}}
{{- printf "%s-%s:%s" $repository .component (.root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* What holds Pod Security "restricted". */}}
{{- define "mlguard.containerSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "mlguard.imagePullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Where a pod is scheduled: values of a component. */}}
{{- define "mlguard.scheduling" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Annotations by which a plain Prometheus finds a pod: dict "root" $ "port" PORT. */}}
{{- define "mlguard.scrapeAnnotations" -}}
{{- if eq .root.Values.metrics.kind "annotations" -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .port | quote }}
prometheus.io/path: /metrics
{{- end -}}
{{- end -}}

{{- define "mlguard.exporterUrl" -}}
{{- printf "http://%s-exporter.%s.svc:9521" (include "mlguard.fullname" .) .Release.Namespace -}}
{{- end -}}

{{/*
Who evaluates the rules, and who is notified, in the configuration of both daemons: rules run in
one place, or each alert would be sent twice.
*/}}
{{- define "mlguard.alertConfig" -}}
{{- if ne .Values.alerts.kind "embedded" }}
rules:
  enabled: false
{{- end }}
{{- with .Values.alerts.runbookBase }}
notify:
  runbook_base: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Configuration of the sidecar: the chart's, under the user's. */}}
{{- define "mlguard.sidecarConfig" -}}
{{- $config := include "mlguard.alertConfig" . | fromYaml -}}
{{- if and (eq .Values.alerts.kind "embedded") .Values.alerts.relaySecret .Values.exporter.enabled -}}
{{- $relay := dict "notify" (dict "relay" (dict "url" (include "mlguard.exporterUrl" .))) -}}
{{- $config = mergeOverwrite $config $relay -}}
{{- end -}}
{{- mergeOverwrite $config (deepCopy .Values.sidecar.config) | toYaml -}}
{{- end -}}

{{/* Configuration of the exporter, likewise. */}}
{{- define "mlguard.exporterConfig" -}}
{{- $config := include "mlguard.alertConfig" . | fromYaml -}}
{{- if .Values.alerts.relaySecret -}}
{{- $config = mergeOverwrite $config (dict "relay" (dict "token_file" "/etc/mlguard/relay/token")) -}}
{{- end -}}
{{- mergeOverwrite $config (deepCopy .Values.exporter.config) | toYaml -}}
{{- end -}}

{{/* Configuration of the injector. */}}
{{- define "mlguard.injectorConfig" -}}
{{- $name := printf "%s-injector" (include "mlguard.fullname" .) -}}
{{- if eq .Values.injector.certificate.source "selfManaged" -}}
certificate:
  secret: {{ $name }}-tls
  namespace: {{ .Release.Namespace }}
  service: {{ $name }}
  webhook: {{ $name }}
{{ end -}}
log:
  level: {{ .Values.injector.logLevel }}
sidecar:
  image: {{ include "mlguard.image" (dict "root" . "component" "sidecar") | quote }}
  pull_policy: {{ .Values.image.pullPolicy }}
  pull_secrets: {{ .Values.sidecar.pullSecrets | toJson }}
  port: {{ int .Values.sidecar.port }}
  native: {{ .Values.sidecar.native }}
  startup_probe: {{ .Values.sidecar.startupProbe }}
  scrape_annotations: {{ eq .Values.metrics.kind "annotations" }}
  resources:
    {{- $resources := .Values.sidecar.resources }}
    {{- range $kind, $prefix := dict "request" "requests" "limit" "limits" }}
    {{- range $name := list "cpu" "memory" }}
    {{- $quantity := dig $prefix $name "" $resources }}
    {{ $name }}_{{ $kind }}: {{ if $quantity }}{{ $quantity | toString | quote }}{{ else }}null{{ end }}
    {{- end }}
    {{- end }}
  config:
    {{- include "mlguard.sidecarConfig" . | nindent 4 }}
{{- end -}}
