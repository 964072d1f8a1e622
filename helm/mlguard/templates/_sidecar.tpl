{{/*
The sidecar for charts that do without the webhook. Each template takes a dict:

  chart         this chart: .Subcharts.mlguard in a chart that depends on it
  project       project of the model; the namespace by default
  model         name of the model
  endpoint      endpoint of the model
  native        whether the container is an init container of Kubernetes 1.29 or later
  port          port of its HTTP server, if not sidecar.port
  config        ConfigMap with the key config.yaml
  baseline      ConfigMap of baseline files
  relaySecret   Secret with the key token
  apiKeySecret  Secret with the key api-key
*/}}

{{/* Container of the sidecar, among initContainers if native, else among containers. */}}
{{- define "mlguard.sidecar.container" -}}
{{- $values := .chart.Values -}}
{{- $port := .port | default $values.sidecar.port | int -}}
{{- $config := include "mlguard.sidecarConfig" .chart | fromYaml -}}
{{- $config = mergeOverwrite (dict "socket" (dict "mode" "0666")) $config -}}
{{- if .baseline -}}
{{- $config = mergeOverwrite $config (dict "baseline" (dict "folder" "/etc/mlguard/baselines")) -}}
{{- end -}}
{{- if and .relaySecret (dig "notify" "relay" nil $config) -}}
{{- $token := dict "token" "${MLGUARD_RELAY_TOKEN}" -}}
{{- $config = mergeOverwrite (dict "notify" (dict "relay" $token)) $config -}}
{{- end -}}
name: mlguard-sidecar
image: {{ include "mlguard.image" (dict "root" .chart "component" "sidecar") }}
imagePullPolicy: {{ $values.image.pullPolicy }}
{{- if .native }}
restartPolicy: Always
{{- end }}
args:
  - --listen
  - 0.0.0.0:{{ $port }}
  - --socket
  - /run/mlguard/mlguard.sock
  - --data-dir
  - /var/lib/mlguard
  {{- if .config }}
  - --config
  - /etc/mlguard/config/config.yaml
  {{- end }}
env:
  - name: MLGUARD_CONFIG
    value: {{ regexReplaceAll "\\$([$(])" (toYaml $config) "$$$$$1" | quote }}
  - name: TMPDIR
    value: /var/lib/mlguard
  {{- with .relaySecret }}
  - name: MLGUARD_RELAY_TOKEN
    valueFrom:
      secretKeyRef:
        name: {{ . }}
        key: token
        optional: true
  {{- end }}
  {{- with .apiKeySecret }}
  - name: MLGUARD_API_KEY
    valueFrom:
      secretKeyRef:
        name: {{ . }}
        key: api-key
        optional: true
  {{- end }}
ports:
  - name: mlguard
    containerPort: {{ $port }}
    protocol: TCP
resources:
  {{- toYaml $values.sidecar.resources | nindent 2 }}
volumeMounts:
  - name: mlguard-socket
    mountPath: /run/mlguard
  - name: mlguard-data
    mountPath: /var/lib/mlguard
  {{- if .config }}
  - name: mlguard-config
    mountPath: /etc/mlguard/config
    readOnly: true
  {{- end }}
  {{- if .baseline }}
  - name: mlguard-baseline
    mountPath: /etc/mlguard/baselines
    readOnly: true
  {{- end }}
securityContext:
  {{- include "mlguard.containerSecurityContext" .chart | nindent 2 }}
livenessProbe:
  httpGet:
    path: /healthz
    port: {{ $port }}
  timeoutSeconds: 5
  periodSeconds: 30
  failureThreshold: 4
{{- if $values.sidecar.startupProbe }}
startupProbe:
  httpGet:
    path: /healthz
    port: {{ $port }}
  timeoutSeconds: 5
  periodSeconds: 1
  failureThreshold: 60
{{- end }}
{{- end -}}

{{/* Volumes of the pod. */}}
{{- define "mlguard.sidecar.volumes" -}}
- name: mlguard-socket
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
- name: mlguard-data
  emptyDir: {}
{{- with .config }}
- name: mlguard-config
  configMap:
    name: {{ . }}
{{- end }}
{{- with .baseline }}
- name: mlguard-baseline
  configMap:
    name: {{ . }}
{{- end }}
{{- end -}}

{{/* Mounts of the model server's container. */}}
{{- define "mlguard.sidecar.volumeMounts" -}}
- name: mlguard-socket
  mountPath: /run/mlguard
{{- end -}}

{{/* Environment of the model server's container. */}}
{{- define "mlguard.sidecar.env" -}}
- name: MLGUARD_SOCKET
  value: /run/mlguard/mlguard.sock
- name: MLGUARD_PROJECT
  value: {{ .project | default .chart.Release.Namespace | quote }}
- name: MLGUARD_MODEL
  value: {{ .model | quote }}
{{- with .endpoint }}
- name: MLGUARD_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- end -}}
